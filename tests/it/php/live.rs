//! Random forms compared with PHP itself, if it is installed.

use tower_bitrix24::callback::{Callback, CallbackEnvelope};

use super::*;

#[derive(Debug)]
enum Node {
    Text(Vec<u8>),
    Array(Vec<(Vec<u8>, Node)>),
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Text(_) => None,
            Self::Array(entries) => {
                let found = entries.iter().find(|(name, _)| name == key.as_bytes());
                found.map(|(_, node)| node)
            }
        }
    }

    fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Array(_) => None,
        }
    }

    /// Reads the output of PHP's `serialize`.
    fn unserialize(input: &mut &[u8]) -> Self {
        fn until(input: &mut &[u8], end: u8) -> String {
            let at = input.iter().position(|&byte| byte == end).unwrap();
            let text = String::from_utf8(input[..at].to_vec()).unwrap();
            *input = &input[at + 1..];
            text
        }
        let kind = until(input, b':');
        match &*kind {
            "i" => Self::Text(until(input, b';').into_bytes()),
            "s" => {
                let length: usize = until(input, b':').parse().unwrap();
                let text = input[1..=length].to_vec();
                *input = &input[length + 3..];
                Self::Text(text)
            }
            "a" => {
                let length: usize = until(input, b':').parse().unwrap();
                *input = &input[1..];
                let entries = (0..length).map(|_| {
                    let key = Self::unserialize(input).text().unwrap().to_vec();
                    (key, Self::unserialize(input))
                });
                let entries = entries.collect();
                *input = &input[1..];
                Self::Array(entries)
            }
            kind => panic!("PHP has no {kind} in a form"),
        }
    }
}

/// A PHP process that reads forms one after another, without limits except for the depth.
struct Php {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Php {
    fn start() -> Option<Self> {
        const READ: &str = r#"
            while (($line = fgets(STDIN)) !== false) {
                $form = [];
                @parse_str(hex2bin(rtrim($line)), $form);
                $form = serialize($form);
                echo pack('V', strlen($form)), $form;
            }
        "#;
        let mut php = Command::new("php");
        php.args(["-n", "-d", "max_input_vars=100000"])
            .args(["-d", "max_input_nesting_level=64", "-d", "memory_limit=-1"])
            .args(["-r", READ]);
        let process = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = process.ok()?;
        let input = process.stdin.take()?;
        let output = BufReader::new(process.stdout.take()?);
        Some(Self {
            process,
            input,
            output,
        })
    }

    fn read(&mut self, forms: &[String]) -> Vec<Node> {
        std::thread::scope(|scope| {
            let input = &mut self.input;
            scope.spawn(move || {
                let mut lines = String::new();
                for form in forms {
                    lines.extend(form.bytes().map(|byte| format!("{byte:02x}")));
                    lines.push('\n');
                }
                input.write_all(lines.as_bytes()).unwrap();
                input.flush().unwrap();
            });
            let output = &mut self.output;
            let read = forms.iter().map(|form| {
                let mut length = [0; 4];
                output.read_exact(&mut length).unwrap();
                let mut tree = vec![0; u32::from_le_bytes(length) as usize];
                output.read_exact(&mut tree).unwrap();
                let mut rest = &tree[..];
                let node = Node::unserialize(&mut rest);
                assert!(rest.is_empty(), "{form}");
                node
            });
            read.collect()
        })
    }
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const AUTH: &str = "auth[application_token]=51856fefc120afa4b628cc82d3935cce";

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn one_of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }

    /// Returns the form of an event with unusual keys, most of them beneath `data`.
    fn event(&mut self) -> String {
        // Mostly rejected.
        let unusual = [
            "+data", "event", "[data]", "data%00", "auth", "ts", "auth.x", "%20event",
        ];
        self.form(&["event=ONCRMDEALADD", AUTH, "ts=1"], &unusual, 40)
    }

    /// Returns the form of a callback with unusual keys, some of them without a name.
    fn callback(&mut self) -> String {
        let unusual = [
            "+", "%20", "++x", "[x]", "%5Bx%5D", "+[x]", "[x", "+[x", ".", "]", "x.y", "x+", "1",
            "[",
        ];
        self.form(&[AUTH, "ts=1"], &unusual, 4)
    }

    /// One in `rarity` keys is `unusual`.
    fn form(&mut self, envelope: &[&str], unusual: &[&str], rarity: usize) -> String {
        let roots = [
            "data", "data", "data", "data", "data", "data", "data", "%64ata", "x", "auth", "da.ta",
            "data_x", "auth[x]", "ts.x", "EVENT",
        ];
        let names = [
            "FIELDS",
            "FIELDS",
            "ID",
            "ID",
            "a",
            "b",
            "0",
            "1",
            "01",
            "-1",
            "-0",
            "7",
            "",
            "",
            "+",
            "%09",
            "a.b",
            "a+b",
            "%FF",
            "%25FF",
            "%2525FF",
            "%41",
            "%",
            "%5",
            "[",
            "%5B",
            "x=",
            "%26",
            "é",
            "%C3%A9",
            "9223372036854775000",
            "-9223372036854775808",
            "18446744073709551616",
        ];
        let values = [
            "27", "27", "1", "0", "", "x", "027", "+27", "%32%37", "a%26b", "%FF", "%00", "a+b",
            "%", "%5B", "==",
        ];
        let mut pairs: Vec<_> = envelope.iter().map(|&pair| pair.to_owned()).collect();
        for _ in 0..self.below(7) {
            let mut key = match self.below(rarity) {
                0 => self.one_of(unusual).to_owned(),
                _ => self.one_of(&roots).to_owned(),
            };
            let depth = match self.below(200) {
                0 => 58 + self.below(7),
                _ => self.below(4),
            };
            for _ in 0..depth {
                key += self.one_of(&["[", "[", "[", "%5B", "%5b", "[", "x["]);
                key += self.one_of(&names);
                key += self.one_of(&["]", "]", "]", "]", "%5D", "%5d", "]", "]", "]x", "", "]]"]);
            }
            if self.below(8) == 0 {
                key = self
                    .one_of(&[
                        "data[FIELDS][ID]",
                        "data%5BFIELDS%5D%5BID%5D",
                        "data[%46IELDS][ID%5d",
                        "data[FIELDS][ID]x",
                        "%64ata[FIELDS][ID",
                    ])
                    .to_owned();
            }
            let value = self.one_of(&values);
            let at = self.below(pairs.len() + 1);
            let equals = if self.below(20) == 0 { "" } else { "=" };
            pairs.insert(at, format!("{key}{equals}{value}"));
        }
        pairs.join(self.one_of(&["&", "&", "&", "&&"]))
    }
}

fn assert_is(value: &Value, node: &Node, form: &str) {
    match node {
        Node::Text(text) => assert_eq!(value.as_bytes(), Some(&text[..]), "{form}"),
        Node::Array(entries) => {
            let array = value.as_array().unwrap_or_else(|| panic!("{form}"));
            let keys: Vec<_> = array.iter().map(|(key, _)| key.to_owned()).collect();
            let php: Vec<_> = entries.iter().map(|(key, _)| key_text(key)).collect();
            assert_eq!(keys, php, "{form}");
            for (value, (_, node)) in array.values().zip(entries) {
                assert_is(value, node, form);
            }
        }
    }
}

/// Returns `true` for a form that is documented to be read otherwise than by PHP: what a NUL ends,
/// and values below the 64th level, which drop others too.
fn is_read_otherwise(form: &str) -> bool {
    form.split('&').any(|pair| {
        let key = pair.split('=').next().unwrap();
        let brackets = key.matches('[').count() + key.to_uppercase().matches("%5B").count();
        key.contains("%00") || brackets > Value::MAX_DEPTH
    })
}

/// Returns the process and the number of forms to compare, or `None` if there is no PHP. The number is
/// that of `BITRIX24_PHP_BODIES`.
fn php() -> Option<(Php, usize)> {
    let bodies = std::env::var("BITRIX24_PHP_BODIES").map(|bodies| bodies.parse().unwrap());
    let (bodies, wanted) = bodies.map_or((4_000, false), |bodies: usize| (bodies, true));
    let Some(php) = Php::start() else {
        assert!(!wanted, "there is no `php` to compare with");
        println!("SKIPPED: there is no `php` to compare with");
        return None;
    };
    Some((php, bodies))
}

#[test]
fn form_of_a_callback_is_that_of_php_itself() {
    let Some((mut php, bodies)) = php() else {
        return;
    };
    let token = ApplicationToken::new(TOKEN).unwrap();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let forms: Vec<_> = (0..bodies).map(|_| numbers.callback()).collect();
    let (mut accepted, mut nameless) = (0, 0);
    for (form, node) in forms.iter().zip(php.read(&forms)) {
        let Ok(envelope) = CallbackEnvelope::scan(form.clone()) else {
            continue;
        };
        let callback = Callback::verify(envelope, &token);
        let Ok(callback) = callback.now_or_never().unwrap() else {
            panic!("{form}: the token is another");
        };
        if is_read_otherwise(form) {
            continue;
        }
        let Node::Array(mut entries) = node else {
            panic!("PHP reads an array");
        };
        entries.retain(|(key, _)| key != b"auth");
        assert_is(callback.data().unwrap(), &Node::Array(entries), form);
        accepted += 1;
        let is_nameless = |pair: &str| pair.trim_start_matches(['+']).starts_with(['=', '[']);
        nameless += usize::from(form.split('&').any(is_nameless));
    }
    println!("{bodies} callbacks: {accepted} read alike, {nameless} with a pair without a name");
    assert!(
        accepted > bodies / 4 && nameless > bodies / 20,
        "{accepted}, {nameless}"
    );
}

#[test]
fn scan_tree_and_ids_are_those_of_php_itself() {
    let Some((mut php, bodies)) = php() else {
        return;
    };
    let token = ApplicationToken::new(TOKEN).unwrap();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (mut forms_read, mut accepted, mut typed) = (0, 0, 0);
    while forms_read < bodies {
        let forms: Vec<_> = (0..1000.min(bodies - forms_read))
            .map(|_| numbers.event())
            .collect();
        forms_read += forms.len();
        for (form, node) in forms.iter().zip(php.read(&forms)) {
            let Ok(envelope) = Envelope::scan(form.clone()) else {
                continue;
            };
            let text = |path: &[&str]| {
                let node = path.iter().try_fold(&node, |node, key| node.get(key));
                node.and_then(Node::text)
            };
            // The scan.
            let code = envelope.code().into_owned();
            assert_eq!(text(&["event"]), Some(code.as_bytes()), "{form}");
            let seen = text(&["auth", "application_token"]);
            assert_eq!(envelope.application_token().as_deref(), seen, "{form}");
            let event = Event::verify(envelope, &token)
                .now_or_never()
                .unwrap()
                .unwrap();
            if is_read_otherwise(form) {
                continue;
            }
            // The tree.
            match (event.data(), node.get("data")) {
                (Some(value), Some(node)) => assert_is(value, node, form),
                (value, node) => assert!(value.is_none() && node.is_none(), "{form}"),
            }
            accepted += 1;
            // The id.
            let id = text(&["data", "FIELDS", "ID"]).and_then(|id| std::str::from_utf8(id).ok());
            if let Some(id) = id.and_then(|id| id.parse::<u64>().ok()) {
                let deal = event.payload_of::<kind::CrmDealAdd>();
                assert_eq!(
                    deal.map(|deal| deal.id),
                    Some(id),
                    "{form}: {:?}",
                    event.mismatch()
                );
                typed += 1;
            }
        }
    }
    println!("{forms_read} bodies: {accepted} accepted and read alike, {typed} with an id");
    assert!(
        accepted > bodies / 2 && typed > bodies / 100,
        "{accepted}, {typed}"
    );
}
