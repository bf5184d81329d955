//! A DynamoDB engine in memory, for tests: listens on a free port of the loopback interface, prints its endpoint as
//! one line, and ends when its standard input does, so that it never outlives the test that started it.

use std::io::Write;

use dynoxide::{Database, server};
use tokio::io::AsyncReadExt;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut out = std::io::stdout();
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    let (mut stdin, mut ignored) = (tokio::io::stdin(), Vec::new());
    tokio::select! {
        served = server::serve_with_shutdown(listener, Database::memory()?, std::future::pending()) => served?,
        _ = stdin.read_to_end(&mut ignored) => {}
    }
    // Reading from standard input may hold up the end of the runtime.
    std::process::exit(0)
}
