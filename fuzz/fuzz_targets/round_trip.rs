//! Any tree, written as a form in any spelling, comes back as it was: the data of an event, the
//! properties of a robot.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Value;
use tower_bitrix24::callback::CallbackPayload;
use tower_bitrix24_fuzz::encode::{Spelling, to_form, to_form_at};
use tower_bitrix24_fuzz::php::Node;
use tower_bitrix24_fuzz::{
    TOKEN, exercise, exercise_callback, key_text, verified, verified_callback,
};

#[derive(Arbitrary, Debug)]
enum Tree {
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<(Key, Tree)>),
}

#[derive(Arbitrary, Debug)]
enum Key {
    Index(u32),
    Name(String),
}

/// Reduces the tree to one that PHP could have: distinct keys that are not empty and have no
/// closing bracket, no empty arrays, at most 64 levels.
fn tidy(tree: Tree, depth: usize) -> Option<Node> {
    let entries = match tree {
        Tree::Text(text) => return Some(Node::Text(text.into_bytes())),
        Tree::Bytes(bytes) => return Some(Node::Text(bytes)),
        Tree::Array(_) if depth == Value::MAX_DEPTH => return None,
        Tree::Array(entries) => entries,
    };
    let mut tidied: Vec<(Vec<u8>, Node)> = Vec::new();
    for (key, value) in entries {
        let key = match key {
            Key::Index(index) => index.to_string(),
            Key::Name(name) => name,
        };
        let appends = matches!(&*key, "" | " " | "\t" | "\n" | "\u{b}" | "\u{c}" | "\r");
        let known = tidied.iter().any(|(name, _)| name == key.as_bytes());
        if appends || known || key.contains(']') {
            continue;
        }
        if let Some(value) = tidy(value, depth + 1) {
            tidied.push((key.into_bytes(), value));
        }
    }
    (!tidied.is_empty()).then_some(Node::Array(tidied))
}

/// Returns the tree with its keys as the crate shows them.
fn shown(tree: Node) -> Node {
    match tree {
        Node::Array(entries) => {
            let entries = entries.into_iter();
            let shown = entries.map(|(key, value)| (key_text(&key).into_bytes(), shown(value)));
            Node::Array(shown.collect())
        }
        text => text,
    }
}

fn node(value: &Value) -> Node {
    match value {
        Value::Array(array) => {
            let entries = array
                .iter()
                .map(|(key, value)| (key.as_bytes().to_vec(), node(value)));
            Node::Array(entries.collect())
        }
        text => Node::Text(text.as_bytes().expect("a text").to_vec()),
    }
}

fuzz_target!(|input: (Tree, Spelling)| {
    let (tree, spelling) = input;
    let Some(tree) = tidy(tree, 0) else { return };
    robot(&tree, spelling);
    let head = format!("event=E&auth[application_token]={TOKEN}&");
    let body = [head.into_bytes(), to_form(&tree, spelling)].concat();
    let event = verified(body).expect("the form of a tree is read");
    if event.mismatch().is_some() {
        return; // Too many arrays are not read.
    }
    assert_eq!(node(event.data().expect("the event has data")), shown(tree));
    exercise(&event);
});

fn robot(tree: &Node, spelling: Spelling) {
    let head = format!(
        "event_token=1&code=c&workflow_id=w&document_id[]=crm&document_id[]=D&document_id[]=DEAL_1\
         &auth[application_token]={TOKEN}&"
    );
    let properties = to_form_at(b"properties", tree, spelling);
    let callback = verified_callback([head.into_bytes(), properties].concat());
    let callback = callback.expect("the form of a robot is read");
    exercise_callback(&callback);
    if callback.mismatch().is_some() {
        return; // Too many arrays are not read.
    }
    let CallbackPayload::Robot(robot) = callback.payload() else {
        panic!("{callback:?}");
    };
    let data = callback.data().expect("the robot has data");
    let seen = data.get("properties").map(node);
    let expected = shown(tree.clone());
    assert_eq!(seen.as_ref(), Some(&expected));
    // A text is not what a robot has.
    if let Node::Array(entries) = expected {
        assert_eq!(robot.properties.len(), entries.len());
    }
}
