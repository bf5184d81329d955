//! A proxy before the engine that fails on demand.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use parking_lot::Mutex;
use serde_json::Value;

use crate::engine::endpoint;

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is passed on, and answered.
    None,
    /// It is swallowed, and the connection stays open.
    Hang,
    /// The connection is closed before it is passed on.
    LoseRequest,
    /// It is passed on and carried out, and the connection is closed before the answer.
    LoseResponse,
    /// It is passed on and carried out, and half of the answer comes.
    StallResponse,
    /// It is answered with this status and body, and not passed on.
    Answer(u16, &'static str),
    /// Of a batch of several its first half is passed on, and the answer says that the rest was left undone.
    LeaveUndone,
}

/// Listens, and treats requests by its script; once that is at its end, by its last word.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: String,
    script: Arc<Mutex<Script>>,
    requests: Arc<AtomicU64>,
}

struct Script {
    next: VecDeque<Fault>,
    last: Fault,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(Script { next: VecDeque::new(), last: Fault::None })),
            requests: Arc::default(),
        };
        let serving = proxy.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (serving, connection) = (serving.clone(), connection.unwrap());
                // A connection ends when either side closes it; what is lost then is the test's business.
                thread::spawn(move || serving.serve(&connection));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Treats the next requests so, and those after them as `last` says.
    pub(crate) fn script(&self, next: &[Fault], last: Fault) {
        *self.script.lock() = Script { next: next.iter().copied().collect(), last };
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    fn serve(&self, client: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        let mut client = client;
        loop {
            let request = read_message(&mut reader)?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            let fault = {
                let mut script = self.script.lock();
                script.next.pop_front().unwrap_or(script.last)
            };
            match fault {
                Fault::None => client.write_all(&forward(&request)?).ok()?,
                Fault::LeaveUndone => client.write_all(&forward_half(&request)?).ok()?,
                Fault::Hang => return until_closed(&mut reader),
                Fault::LoseRequest => return None,
                Fault::LoseResponse => {
                    forward(&request)?;
                    return None;
                }
                Fault::StallResponse => {
                    let answer = forward(&request)?;
                    client.write_all(&answer[..answer.len() - split(&answer)?.1.len() / 2]).ok()?;
                    return until_closed(&mut reader);
                }
                Fault::Answer(status, body) => client.write_all(&answer(status, body)).ok()?,
            }
        }
    }
}

/// Waits until the client has had enough.
fn until_closed(reader: &mut impl Read) -> Option<()> {
    let _ = reader.read(&mut [0]);
    None
}

/// What the engine answers. It is asked as HTTP/1.0 has it, so that the answer comes in one piece and ends with the connection.
fn forward(request: &[u8]) -> Option<Vec<u8>> {
    let mut engine = TcpStream::connect(endpoint().strip_prefix("http://")?).ok()?;
    let (head, body) = split(request)?;
    let head = head.replacen("HTTP/1.1", "HTTP/1.0", 1);
    engine.write_all(&[head.as_bytes(), b"\r\n\r\n", body].concat()).ok()?;
    let mut answered = Vec::new();
    engine.read_to_end(&mut answered).ok()?;
    let (head, body) = split(&answered)?;
    let head = with_length(&head.replacen("HTTP/1.0", "HTTP/1.1", 1), body.len());
    Some([head.as_bytes(), body].concat())
}

/// A head with this length of the body, and without what was said of it before.
fn with_length(head: &str, length: usize) -> String {
    let of_the_body = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["content-length:", "transfer-encoding:", "connection:"].iter().any(|name| line.starts_with(name))
    };
    let kept: Vec<&str> = head.split("\r\n").filter(|line| !of_the_body(line)).collect();
    format!("{}\r\ncontent-length: {length}\r\n\r\n", kept.join("\r\n"))
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    let (kind, length) = ("application/x-amz-json-1.0", body.len());
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Passes on half of a batch; anything else in whole.
fn forward_half(request: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = split(request)?;
    let mut batch: Value = serde_json::from_slice(body).ok()?;
    let Some(tables) = batch.get_mut("RequestItems").and_then(Value::as_object_mut) else {
        return forward(request);
    };
    let (table, asked) = tables.iter_mut().next()?;
    let table = table.clone();
    let mut rest = asked.clone();
    // Reads are in a list of keys, writes in a list by themselves.
    let (entries, left, undone) = if asked.is_array() {
        (asked.as_array_mut()?, rest.as_array_mut()?, "UnprocessedItems")
    } else {
        (asked["Keys"].as_array_mut()?, rest["Keys"].as_array_mut()?, "UnprocessedKeys")
    };
    if entries.len() < 2 {
        return forward(request);
    }
    let half = entries.len() / 2;
    entries.truncate(half);
    left.drain(..half);
    let body = batch.to_string();
    let shorter = with_length(head, body.len()) + &body;
    let answered = forward(shorter.as_bytes())?;
    let mut told: Value = serde_json::from_slice(split(&answered)?.1).ok()?;
    told[undone] = serde_json::json!({ table: rest });
    Some(answer(200, &told.to_string()))
}

/// The head of an HTTP message without its last line breaks, and its body.
fn split(message: &[u8]) -> Option<(&str, &[u8])> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&message[..end]).ok()?, &message[end + 4..]))
}

/// A whole HTTP message, head and body.
fn read_message(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut length = 0;
    loop {
        let start = message.len();
        if reader.read_until(b'\n', &mut message).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&message[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let start = message.len();
    message.resize(start + length, 0);
    reader.read_exact(&mut message[start..]).ok()?;
    Some(message)
}
