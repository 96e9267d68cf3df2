//! A model of how PHP reads a form into `$_POST` (`php_register_variable_ex` of PHP 8.2), written from
//! PHP's side, byte by byte, and sharing nothing with the crate's own reading.

/// A value as PHP has it. The entries are in the order of their first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Text(Vec<u8>),
    Array(Vec<(Vec<u8>, Node)>),
}

/// The reading to model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PHP's own.
    Php,
    /// PHP's with the differences that `Value` documents: NUL is part of a key behind the first
    /// bracket, the keys below the 64th level are one key, and an index beyond the greatest has a
    /// successor.
    Lossless,
}

/// `max_input_nesting_level`.
const MAX_DEPTH: usize = 64;

/// Reads the variables of a body.
pub fn read(body: &[u8], dialect: Dialect) -> Node {
    let mut variables = Node::Array(Vec::new());
    for pair in body.split(|&byte| byte == b'&') {
        let equals = pair.iter().position(|&byte| byte == b'=');
        let (name, value) = match equals {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &[][..]),
        };
        register(&mut variables, decode(name), decode(value), dialect);
    }
    variables
}

impl Node {
    /// Returns the value under `key`.
    pub fn get(&self, key: &[u8]) -> Option<&Node> {
        match self {
            Self::Text(_) => None,
            Self::Array(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, v)| v),
        }
    }

    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            Self::Array(_) => None,
        }
    }
}

/// PHP's `urldecode`.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&byte| (byte as char).to_digit(16));
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}

fn register(variables: &mut Node, mut name: Vec<u8>, value: Vec<u8>, dialect: Dialect) {
    if dialect == Dialect::Php {
        // A C string ends at its first NUL.
        name.truncate(
            name.iter()
                .position(|&byte| byte == 0)
                .unwrap_or(name.len()),
        );
    }
    let spaces = name.iter().take_while(|&&byte| byte == b' ').count();
    let name = &name[spaces..];

    let mut root = Vec::new();
    let mut at = 0;
    while at < name.len() && name[at] != b'[' {
        root.push(if matches!(name[at], b' ' | b'.') {
            b'_'
        } else {
            name[at]
        });
        at += 1;
    }
    if root.is_empty() {
        return;
    }

    // `None` is the next index.
    let mut path = vec![Some(root)];
    while at < name.len() && name[at] == b'[' {
        if path.len() > MAX_DEPTH {
            // PHP drops the whole variable.
            if let Node::Array(entries) = variables {
                entries.retain(|(key, _)| Some(key) != path[0].as_ref());
            }
            return;
        }
        let inner = &name[at + 1..];
        let space = inner.first().is_some_and(|&byte| is_space(byte));
        if inner.get(usize::from(space)) == Some(&b']') {
            at += 2 + usize::from(space);
            let folds = dialect == Dialect::Lossless && path.len() == MAX_DEPTH;
            if folds && name.get(at) == Some(&b'[') {
                path.push(Some(inner.to_vec()));
                break;
            }
            path.push(None);
            continue;
        }
        let Some(close) = inner.iter().position(|&byte| byte == b']') else {
            if path.len() == 1 {
                // Not an index: the bracket is part of the name, and so is what follows.
                let rest = inner.iter().map(|byte| match byte {
                    b' ' | b'.' | b'[' => b'_',
                    byte => *byte,
                });
                let root = path[0].as_mut().unwrap();
                root.push(b'_');
                root.extend(rest);
            }
            break;
        };
        at += close + 2;
        let folds = dialect == Dialect::Lossless && path.len() == MAX_DEPTH;
        if folds && name.get(at) == Some(&b'[') {
            path.push(Some(inner.to_vec()));
            break;
        }
        path.push(Some(inner[..close].to_vec()));
    }
    place(variables, &path, value);
}

fn place(array: &mut Node, path: &[Option<Vec<u8>>], value: Vec<u8>) {
    let Node::Array(entries) = array else {
        unreachable!("made one before")
    };
    let key = match &path[0] {
        Some(key) => key.clone(),
        None => {
            let indices = entries.iter().filter_map(|(key, _)| index_of(key));
            // An array keeps its next index; none of these arrays ever loses an entry.
            let next = indices.max().map_or(0, |max| max + 1);
            next.to_string().into_bytes()
        }
    };
    let position = entries.iter().position(|(name, _)| *name == key);
    let position = position.unwrap_or_else(|| {
        entries.push((key, Node::Text(Vec::new())));
        entries.len() - 1
    });
    let entry = &mut entries[position].1;
    match &path[1..] {
        [] => *entry = Node::Text(value),
        rest => {
            if matches!(entry, Node::Text(_)) {
                *entry = Node::Array(Vec::new());
            }
            place(entry, rest, value);
        }
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}

/// PHP's `ZEND_HANDLE_NUMERIC_STR`: returns the integer that PHP makes of a key.
fn index_of(key: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(key).ok()?;
    let index: i64 = text.parse().ok()?;
    (index.to_string() == text).then_some(index.into())
}
