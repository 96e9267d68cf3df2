//! A deploy loses nothing: the example `inbox` restarts under load, with a socket from its parent.

#![cfg(unix)]

use std::collections::{BTreeSet, HashSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const RESTARTS: usize = 5;
const SENDERS: usize = 12;
const TOKEN: &str = "51856fefc120afa4b628cc82d3935cce";

/// Everything that is waited for happens within this, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The server promises to wait for a request that comes within 3 seconds of its connection.
const PROMPT: Duration = Duration::from_secs(2);

/// The responses and errors that the senders have seen.
#[derive(Default)]
struct Seen {
    next: AtomicU64,
    stop: AtomicBool,
    answered: Mutex<BTreeSet<u64>>,
    failures: Mutex<Vec<String>>,
}

impl Seen {
    fn answered(&self) -> usize {
        self.answered.lock().unwrap().len()
    }

    /// Sends events until the end. One in three senders opens a connection for each event, one keeps
    /// its connection until the server closes it, and one hesitates after it has connected.
    fn send(&self, address: SocketAddr, sender: usize) {
        let mut kept: Option<TcpStream> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
            let started = Instant::now();
            let stream = match kept.take() {
                Some(stream) => Ok(stream),
                None => connect(address),
            };
            let response = stream.and_then(|mut stream| {
                if sender % 3 == 2 {
                    thread::sleep(Duration::from_millis(50));
                }
                stream.write_all(&request(id))?;
                let is_prompt = started.elapsed() < PROMPT;
                match response(&mut stream) {
                    Ok((200, is_kept)) => Ok((200, (is_kept && sender % 3 == 1).then_some(stream))),
                    Ok((status, _)) => Ok((status, None)),
                    // This sender was late, so that the server need not have waited for it.
                    Err(_) if !is_prompt => Ok((0, None)),
                    Err(error) => Err(error),
                }
            });
            match response {
                Ok((200, stream)) => {
                    self.answered.lock().unwrap().insert(id);
                    kept = stream;
                }
                Ok((0, _)) => {}
                Ok((status, _)) => self.fail(format!("{id} was answered {status}")),
                Err(error) => self.fail(format!("{id} by sender {sender}: {error}")),
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn fail(&self, failure: String) {
        self.failures.lock().unwrap().push(failure);
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn request(id: u64) -> Vec<u8> {
    let body = format!(
        "event=ONCRMDEALADD&data[FIELDS][ID]={id}&ts=1466439714&auth[member_id]=riga\
         &auth[application_token]={TOKEN}"
    );
    let head = format!(
        "POST /bitrix24/events HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// Reads a response. Returns its status, and `true` if the connection stays open.
fn response(stream: &mut TcpStream) -> io::Result<(u16, bool)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::Error::other(
                "the connection was closed without a response",
            ));
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
        head.push_str(&line);
        head.push('\n');
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {head}")))?;
    Ok((status, !head.contains("connection: close")))
}

/// The example as systemd starts it, with the socket as its file descriptor 3.
struct Server {
    child: Child,
    reader: JoinHandle<Vec<u64>>,
}

impl Server {
    fn start(example: &Path, inbox: &Path, socket: &TcpListener) -> Self {
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        // The shell becomes the example, so that `$$` is the example's id.
        let shell = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve";
        let mut child = Command::new("sh")
            .args(["-c".as_ref(), shell.as_ref(), example.as_os_str()])
            .env("BITRIX24_APPLICATION_TOKEN", TOKEN)
            .env("INBOX", inbox)
            .stdin(socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let handled = lines.map(Result::unwrap).filter_map(|line| {
            let id = line.strip_prefix("handled ONCRMDEALADD crm.deal ")?;
            id.split(' ').next()?.parse().ok()
        });
        let reader = thread::spawn(move || handled.collect());
        Self { child, reader }
    }

    /// Stops the server as systemd does. Returns what it has handled.
    fn stop(mut self) -> Vec<u64> {
        let id = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.reader.join().unwrap()
    }
}

fn wait_until(what: &str, mut is_done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_done() {
        assert!(started.elapsed() < PATIENCE, "{what} takes too long");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the number of entries in a state.
fn count(example: &Path, inbox: &Path, state: &str) -> u64 {
    let output = Command::new(example)
        .args(["stats", "--json"])
        .env("INBOX", inbox)
        .output()
        .unwrap();
    let stats = String::from_utf8(output.stdout).unwrap();
    let value = stats.split(&format!("\"{state}\":")).nth(1).unwrap();
    let digits = value.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}

#[test]
#[ignore = "needs the path of the built example `inbox` in INBOX_EXAMPLE: .ci/run inbox-restarts"]
fn five_restarts_under_load_refuse_no_connection_and_lose_no_event() {
    let example = std::env::var_os("INBOX_EXAMPLE").expect("INBOX_EXAMPLE is set");
    let example = Path::new(&example);
    let directory = tempfile::tempdir().unwrap();
    let inbox = directory.path().join("inbox.sqlite");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();

    // Connections wait in the kernel before the first process is there, too.
    let seen = Arc::new(Seen::default());
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let seen = seen.clone();
            thread::spawn(move || seen.send(address, sender))
        })
        .collect();
    let mut handled = HashSet::new();
    let mut server = Server::start(example, &inbox, &socket);
    for _ in 0..RESTARTS {
        let before = seen.answered();
        wait_until("answering", || seen.answered() >= before + 300);
        handled.extend(server.stop());
        server = Server::start(example, &inbox, &socket);
    }
    let before = seen.answered();
    wait_until("answering", || seen.answered() >= before + 300);
    seen.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().unwrap();
    }
    wait_until("handling", || {
        ["waiting", "running"]
            .iter()
            .all(|state| count(example, &inbox, state) == 0)
    });
    handled.extend(server.stop());

    let answered = seen.answered.lock().unwrap();
    let lost: Vec<_> = answered.iter().filter(|id| !handled.contains(id)).collect();
    let failures = seen.failures.lock().unwrap();
    println!(
        "restarts {RESTARTS}, answered {}, refused or unanswered {}, answered minus handled {}",
        answered.len(),
        failures.len(),
        lost.len()
    );
    assert!(failures.is_empty(), "{failures:?}");
    assert!(lost.is_empty(), "{lost:?}");
}
