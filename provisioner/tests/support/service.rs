//! A server on 127.0.0.1 with the parts of STS and CloudFormation that show whose credentials sign a request.
//!
//! Invariant: it records the access key of each request and does not verify signatures.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A received request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The access key in the request's `Credential=`; empty if it is not signed.
    pub(crate) key: String,
    /// The region and the service in `Credential=`.
    pub(crate) region: String,
    pub(crate) service: String,
    /// The `Action` of a query, otherwise method and path.
    pub(crate) action: String,
    pub(crate) body: String,
}

impl Asked {
    /// A field of a query.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A running server, which ends with the test.
pub(crate) struct Service {
    pub(crate) endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    /// Starts the server with special answers to some requests.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &seen, &*answer));
            }
        });
        Self { endpoint, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The keys of the requests to a service, in order and without repetition.
    pub(crate) fn keys(&self, service: &str) -> Vec<String> {
        let mut keys: Vec<_> =
            self.asked().into_iter().filter(|asked| asked.service == service).map(|asked| asked.key).collect();
        keys.dedup();
        keys
    }
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Option<(u16, String)>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    while let Some((asked, head)) = read(&mut reader) {
        seen.lock().expect("no panic").push(asked.clone());
        let (status, body) = answer(&asked).unwrap_or_else(|| usual(&asked, &head));
        let reply = format!("HTTP/1.1 {status} Reply\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if (&*stream).write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request, and the first line of it.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(Asked, String)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|length| *length > 0)?;
    let (mut length, mut credential) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => {
                let rest = value.split("Credential=").nth(1)?;
                rest.split(',').next()?.clone_into(&mut credential);
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let parts: Vec<&str> = credential.split('/').collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
    let mut asked = Asked { key: part(0), region: part(2), service: part(3), action: first.trim().to_owned(), body };
    if let Some(action) = asked.field("Action") {
        asked.action = action.to_owned();
    }
    Some((asked, first))
}

/// A caller named after the key, credentials named after the role, and no stack.
fn usual(asked: &Asked, head: &str) -> (u16, String) {
    match asked.action.as_str() {
        "GetCallerIdentity" => (
            200,
            ok(
                "GetCallerIdentity",
                &format!(
                    "<Arn>arn:aws:iam::123456789012:user/{}</Arn><Account>123456789012</Account><UserId>U</UserId>",
                    asked.key
                ),
            ),
        ),
        "AssumeRole" | "AssumeRoleWithWebIdentity" => {
            let role = asked.field("RoleArn").unwrap_or_default().rsplit("%2F").next().unwrap_or_default().to_owned();
            let credentials = format!(
                "<AccessKeyId>KEY-OF-{role}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
            );
            let user = format!(
                "<AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/{role}/x</Arn>"
            );
            let reply = format!("<Credentials>{credentials}</Credentials><AssumedRoleUser>{user}</AssumedRoleUser>");
            (200, ok(&asked.action, &reply))
        }
        "DescribeStacks" => (400, refusal("ValidationError", "Stack with id x does not exist")),
        _ => (400, refusal("InvalidAction", &format!("{head} is not supported"))),
    }
}

/// A reply of the query protocol.
pub(crate) fn ok(action: &str, inner: &str) -> String {
    format!("<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>")
}

/// An error of the query protocol.
pub(crate) fn refusal(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}
