//! The engine of the tests, in a process of its own.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// An engine that ends with this value.
pub(crate) struct Engine {
    pub(crate) endpoint: String,
    process: Child,
}

impl Engine {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let command = ["build", "--quiet", "--release", "--manifest-path", "engines/dynoxide/Cargo.toml"];
        let built = Command::new("cargo").args(command).args(["--target-dir", "target/engines"]).status()?;
        if !built.success() {
            return Err("the engine could not be built".into());
        }
        let mut process = Command::new("target/engines/release/zae-limiter-engine-dynoxide")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut endpoint = String::new();
        let output = process.stdout.take().ok_or("the engine has no output")?;
        BufReader::new(output).read_line(&mut endpoint)?;
        Ok(Self { endpoint: endpoint.trim().to_owned(), process })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
