//! Shares and factors as whole billionths, so that every comparison is exact.

/// Whether `part` of `calls` is the threshold or more, without rounding (S8).
pub(crate) fn reached(part: u64, calls: u64, ppb: u32) -> bool {
    u128::from(part) * 1_000_000_000 >= u128::from(ppb) * u128::from(calls)
}

/// The whole billionths in a number from 0 to 1,000, rounded down.
///
/// A number that was written with up to nine decimals is one a binary fraction can only come near
/// to, from either side; it comes out as it was written.
pub(super) fn billionths(number: f64) -> u64 {
    let nearest = (number * 1e9).round();
    if nearest / 1e9 == number {
        return nearest as u64;
    }
    floor_exactly(number)
}

/// `floor(number * 10^9)` in integers: the product in floating point could round up to the next one.
fn floor_exactly(number: f64) -> u64 {
    let bits = number.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1075;
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let product = u128::from(mantissa) * 1_000_000_000;
    // The numbers here are below 2^52, so the exponent is negative; a shift past the end leaves none.
    let below = product.checked_shr(exponent.unsigned_abs()).unwrap_or(0);
    u64::try_from(below).unwrap_or(u64::MAX)
}

/// The threshold of a share from 0 to 1, in parts per billion.
pub(super) fn parts_per_billion(share: f64) -> u32 {
    u32::try_from(billionths(share)).unwrap_or(u32::MAX)
}

/// The number as it is held: to nine decimals, rounded down.
pub(super) fn held(number: f64) -> f64 {
    billionths(number) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_nine_decimals_comes_out_as_it_was_written() {
        for (share, ppb) in
            [(0.28, 280_000_000), (0.29, 290_000_000), (0.07, 70_000_000), (1.0, 1_000_000_000)]
        {
            assert_eq!(parts_per_billion(share), ppb);
        }
        for ppb in (1..=1_000_000_000_u32).step_by(9_973).chain([1, 570_000_000, 999_999_999]) {
            let share: f64 = format!("0.{ppb:09}").parse().unwrap();
            assert_eq!(parts_per_billion(share), ppb % 1_000_000_000, "{share}");
            assert_eq!(held(share), share);
        }
    }

    #[test]
    fn any_other_number_is_rounded_down() {
        assert_eq!(parts_per_billion(2.0 / 3.0), 666_666_666);
        assert_eq!(parts_per_billion(beside(1.0, -1)), 999_999_999);
        assert_eq!(parts_per_billion(beside(0.28, -1)), 279_999_999);
        assert_eq!(parts_per_billion(beside(0.28, 1)), 280_000_000);
        assert_eq!(parts_per_billion(0.999e-9), 0);
        assert_eq!(parts_per_billion(f64::MIN_POSITIVE), 0);
        assert_eq!(billionths(1_000.0), 1_000_000_000_000);
    }

    #[test]
    fn seven_of_twenty_five_is_28_percent_and_two_of_three_two_thirds() {
        assert!(reached(7, 25, parts_per_billion(0.28)));
        assert!(!reached(6, 25, parts_per_billion(0.28)));
        assert!(reached(2, 3, parts_per_billion(2.0 / 3.0)));
        assert!(!reached(1, 3, parts_per_billion(2.0 / 3.0)));
        assert!(reached(u64::MAX, u64::MAX, 1_000_000_000));
        assert!(!reached(u64::MAX - 1, u64::MAX, 1_000_000_000));
    }

    /// The next number above or below, which the oldest compiler we build with has no name for.
    fn beside(number: f64, steps: i64) -> f64 {
        f64::from_bits(number.to_bits().wrapping_add_signed(steps))
    }
}
