//! E-mail, to a server of the test that refuses, hangs up and accepts.

use std::sync::{Arc, Mutex};

use halfopen_monitor::{AlertRule, EmailNotifier, Monitor};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world::until;

/// What the server does with a connection.
#[derive(Clone, Copy)]
enum Mood {
    HangsUp,
    /// It answers `MAIL FROM` with this.
    Answers(&'static str),
}

type Mails = Arc<Mutex<Vec<String>>>;

/// A server that treats each connection by the next mood, the last one from then on.
async fn serve(moods: &'static [Mood]) -> (u16, Mails) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = Mails::default();
    let received = Arc::clone(&mails);
    tokio::spawn(async move {
        for index in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            match moods[index.min(moods.len() - 1)] {
                Mood::HangsUp => drop(stream),
                Mood::Answers(answer) => drop(tokio::spawn(converse(stream, answer, Arc::clone(&received)))),
            }
        }
    });
    (port, mails)
}

async fn converse(stream: TcpStream, answer: &'static str, mails: Mails) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let (mut line, mut mail) = (String::new(), None::<String>);
    while stream.read_line(&mut line).await? > 0 {
        let command = std::mem::take(&mut line);
        let reply = match (&mut mail, command.split([' ', '\r']).next().unwrap_or_default()) {
            (Some(text), _) if command == ".\r\n" => {
                mails.lock().unwrap().push(std::mem::take(text));
                mail = None;
                "250 taken\r\n"
            }
            (Some(text), _) => {
                text.push_str(&command);
                continue;
            }
            (None, "EHLO") => "250 test\r\n",
            (None, "MAIL") => answer,
            (None, "DATA") => {
                mail = Some(String::new());
                "354 go on\r\n"
            }
            (None, "QUIT") => "221 bye\r\n",
            (None, _) => "250 ok\r\n",
        };
        stream.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

fn monitored(port: u16) -> (halfopen::Registry, Monitor) {
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).build();
    let mailbox = |address: &str| address.parse().unwrap();
    let notifier = EmailNotifier::new(transport, mailbox("breakers@shop.test"), mailbox("ops@shop.test"));
    let registry = halfopen::Registry::new();
    let builder = Monitor::builder(registry.clone()).rule(AlertRule::new("opened"));
    let monitor = builder.notify(notifier.to(mailbox("boss@shop.test"))).start().unwrap();
    (registry, monitor)
}

#[tokio::test]
async fn a_mail_is_sent_again_after_a_lost_connection() {
    let (port, mails) = serve(&[Mood::HangsUp, Mood::Answers("250 ok\r\n")]).await;
    let (registry, monitor) = monitored(port);
    registry.get_or_create("db\r\nBcc: all@shop.test").trip();
    until(|| !mails.lock().unwrap().is_empty()).await;
    let mail = mails.lock().unwrap()[0].clone();
    assert!(mail.contains("To: ops@shop.test, boss@shop.test"), "{mail}");
    assert!(mail.contains("Subject: [firing medium] opened: dbBcc: all@shop.test"), "{mail}");
    let headers = mail.split("\r\n\r\n").next().unwrap();
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    until(|| monitor.dashboard_data().notifiers[0].sent == 1).await;
    assert_eq!(monitor.dashboard_data().notifiers[0].failed_attempts, 1);
}

#[tokio::test]
async fn a_permanent_refusal_is_not_repeated() {
    let (port, _mails) = serve(&[Mood::Answers("550 unknown sender\r\n")]).await;
    let (registry, monitor) = monitored(port);
    registry.get_or_create("db").trip();
    until(|| monitor.dashboard_data().notifiers[0].refused == 1).await;
    assert_eq!(monitor.dashboard_data().notifiers[0].failed_attempts, 0);
}
