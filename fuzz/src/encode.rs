//! Writing trees as forms, as PHP's `http_build_query` and others do.

use arbitrary::Arbitrary;

use crate::php::Node;

/// A way to escape the keys and values of a form. All mean the same.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Spelling {
    /// `data%5Ba%5D`, as PHP and the platform write it.
    Upper,
    /// `data%5ba%5d`.
    Lower,
    /// `data[a]`, with nothing escaped but what must be.
    Plain,
    /// Every byte escaped.
    All,
}

/// Writes `tree` as the pairs of `data`.
pub fn to_form(tree: &Node, spelling: Spelling) -> Vec<u8> {
    to_form_at(b"data", tree, spelling)
}

/// Writes `tree` as the pairs of the key `root`.
pub fn to_form_at(root: &[u8], tree: &Node, spelling: Spelling) -> Vec<u8> {
    let mut form = Vec::new();
    write(tree, root.to_vec(), spelling, &mut form);
    form
}

fn write(node: &Node, key: Vec<u8>, spelling: Spelling, form: &mut Vec<u8>) {
    match node {
        Node::Text(text) => {
            if !form.is_empty() {
                form.push(b'&');
            }
            form.extend(key);
            form.push(b'=');
            escape(text, spelling, form);
        }
        Node::Array(entries) => {
            for (name, value) in entries {
                let mut key = key.clone();
                let (open, close): (&[u8], &[u8]) = match spelling {
                    Spelling::Upper => (b"%5B", b"%5D"),
                    Spelling::Lower => (b"%5b", b"%5d"),
                    Spelling::Plain => (b"[", b"]"),
                    Spelling::All => (b"%5B", b"%5d"),
                };
                key.extend(open);
                escape(name, spelling, &mut key);
                key.extend(close);
                write(value, key, spelling, form);
            }
        }
    }
}

fn escape(text: &[u8], spelling: Spelling, form: &mut Vec<u8>) {
    for &byte in text {
        let plain = match spelling {
            Spelling::Plain => !matches!(byte, b'%' | b'+' | b'&' | b'=' | b' '),
            Spelling::Upper | Spelling::Lower => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
            }
            Spelling::All => false,
        };
        match byte {
            byte if plain => form.push(byte),
            b' ' if !matches!(spelling, Spelling::All) => form.push(b'+'),
            byte if matches!(spelling, Spelling::Lower) => {
                form.extend(format!("%{byte:02x}").bytes());
            }
            byte => form.extend(format!("%{byte:02X}").bytes()),
        }
    }
}
