//! Lambda's Runtime API, and a function that lives on it as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::Value;

/// What a function answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Response(Value),
    Error(Value),
}

/// A function, and the service that invokes it.
pub(crate) struct RuntimeApi {
    events: mpsc::Sender<String>,
    answers: Mutex<mpsc::Receiver<Answer>>,
    process: Child,
}

impl RuntimeApi {
    /// Starts a function, with these variables in its environment.
    pub(crate) fn start(program: &Path, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (events, waiting) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let waiting = Mutex::new(waiting);
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    let (stream, waiting, answer) = (stream.unwrap(), &waiting, answer.clone());
                    scope.spawn(move || serve(stream, waiting, &answer));
                }
            });
        });
        let process = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "aggregator")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_REGION", "us-east-1")
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { events, answers: Mutex::new(answers), process }
    }

    /// The number of its process.
    #[allow(dead_code, reason = "for measurements")]
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Invokes the function and waits for what it answers.
    pub(crate) fn invoke(&self, event: &Value) -> Answer {
        self.events.send(event.to_string()).unwrap();
        self.answers.lock().unwrap().recv_timeout(Duration::from_mins(1)).unwrap()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        // It waits for the next invocation, which never comes.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves one connection until it ends.
fn serve(stream: TcpStream, events: &Mutex<mpsc::Receiver<String>>, answers: &mpsc::Sender<Answer>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some((path, body)) = request(&mut reader) {
        let path = path.strip_prefix("/2018-06-01/runtime/").unwrap().to_owned();
        let answered = match &*path {
            "invocation/next" => {
                let Ok(event) = events.lock().unwrap().recv() else { return };
                let head = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 99999999999999\r\n\
                            lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:1:function:aggregator\r\n";
                respond(&mut writer, "200 OK", head, &event)
            }
            "invocation/1/response" => {
                let _ = answers.send(Answer::Response(serde_json::from_str(&body).unwrap()));
                respond(&mut writer, "202 Accepted", "", "")
            }
            _ => {
                let _ = answers.send(Answer::Error(serde_json::from_str(&body).unwrap()));
                respond(&mut writer, "202 Accepted", "", "")
            }
        };
        if answered.is_err() {
            return;
        }
    }
}

/// Path and body of the next request.
fn request(reader: &mut impl BufRead) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok()?;
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, String::from_utf8(body).ok()?))
}

fn respond(writer: &mut impl Write, status: &str, head: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        writer,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    )?;
    writer.flush()
}
