//! What the log has of what a caller does not see.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tonic::Code;
use tracing_subscriber::fmt::MakeWriter;

use super::world::{World, failure, orders_of};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_logged_once_with_the_words_that_were_masked() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    // While there is only one subscriber, tracing asks the thread that first comes to a line whether anybody
    // listens, and remembers its no for all threads. Other tests come to the same line.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let logged = tracing::subscriber::set_default(subscriber);
    let world = World::get();
    let answers = |method: &str, _: &[u8]| match method {
        "ListOrders" => Ok(orders_of(["U1", "U2", "U3"])),
        _ => Err(failure(Code::Internal, "row 7\nof users\u{1b}[2J is broken")),
    };
    let (answer, _) = world.ask("{ orders { orders { user { id } } } }", answers).await;
    drop(logged);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 3);
    assert_eq!(answer["errors"][2]["extensions"]["requestId"], "000000000000beef");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    for part in [
        "WARN",
        "request_id=000000000000beef",
        "service=\"users\"",
        "version=\"2.0.0\"",
        "rpc=\"/shop.users.v2.UsersService/BatchGetUsers\"",
        "code=\"INTERNAL\"",
        "origin=\"service\"",
        "row 7 of users [2J is broken",
    ] {
        assert!(lines[0].contains(part), "{part} in {text}");
    }
}
