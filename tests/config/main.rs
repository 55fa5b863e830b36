//! Documents: their values, their problems, and the registries that follow them.

mod bounded;
mod classify;
mod explain;
mod foreign;
mod golden;
mod layers;
mod live;
mod partial;
mod protection;
mod reenter;
mod round;
mod sections;
mod seeds;
mod variables;
