//! Forms that the fast path reads, and forms that it leaves to the tree.

use super::*;

fn read(pairs: &str) -> Option<String> {
    let form = strip_prefix(b"data", 1, pairs.as_bytes())?;
    Some(String::from_utf8(form).unwrap())
}

#[test]
fn fast_path_strips_the_prefix_and_unescapes_brackets() {
    for (pairs, form) in [
        (
            "data[a]=1&data[b][c]=2&data[b][d]=%5B",
            "[a]=1&[b][c]=2&[b][d]=[",
        ),
        (
            "data%5Ba%5D=1&data%5Bb%5D%5Bc%5D=+&data%5Bb%5D%5Bd%5D=",
            "[a]=1&[b][c]= &[b][d]=",
        ),
        ("data[a%5D=1&data%5Bb]=2", "[a]=1&[b]=2"),
        ("&&data[a]==&&data[b]=[", "[a]==&[b]=["),
        // In another order than in a tree.
        (
            "data[a][b]=1&data[c]=2&data[a][d]=3&data[a][e][f]=4",
            "[a][b]=1&[c]=2&[a][d]=3&[a][e][f]=4",
        ),
        // Names that are prefixes of others, or whose keys go on in other brackets.
        (
            "data[a]=1&data[ab]=2&data[abc][d]=3&data[abc][de]=4&data[abcd][e]=5",
            "[a]=1&[ab]=2&[abc][d]=3&[abc][de]=4&[abcd][e]=5",
        ),
        ("data[0]=1&data[10]=2&data[x0]=3", "[0]=1&[10]=2&[x0]=3"),
    ] {
        assert_eq!(read(pairs).as_deref(), Some(form), "{pairs}");
    }
}

#[test]
fn fast_path_decodes_values_except_for_what_serde_qs_would_decode_again() {
    for (value, written) in [
        ("", ""),
        ("a+%41%d0%9F", "a A\u{41f}"),
        ("%25%26%2B%2b%3D%5B", "%25%26%2B%2B=["),
        ("%2541", "%2541"),
        ("%", "%25"),
        ("100%", "100%25"),
        ("%4", "%254"),
        ("%zz%4g", "%25zz%254g"),
        ("%%41", "%25A"),
        ("5%+a", "5%25 a"),
        ("%4%31", "%2541"),
        (&"%41".repeat(200), &"A".repeat(200)),
        (&"%41%25%42%".repeat(99), &"A%25B%25".repeat(99)),
    ] {
        let form = read(&format!("data[a]={value}&data[b]={value}"));
        assert_eq!(
            form,
            Some(format!("[a]={written}&[b]={written}")),
            "{value}"
        );
    }
}

fn read_split(pairs: &str) -> Option<String> {
    let Forms { written, parts } = split(b"data", 1, pairs.as_bytes())?;
    let shown = parts.iter().map(|part| {
        let kind = match part.kind {
            Kind::Text => "=",
            Kind::Form => ": ",
            kind => panic!("a first name has {kind:?}"),
        };
        let content = written.as_bytes()[part.start..part.end].escape_ascii();
        format!("{}{kind}{content}", part.name)
    });
    Some(shown.collect::<Vec<_>>().join("; "))
}

#[test]
fn fast_path_gives_each_first_name_a_form_without_it() {
    for (pairs, forms) in [
        ("data[a]=1", "a=1"),
        ("data[a]=%25%26%2B+%zz", "a=%&+ %zz"),
        ("data[a]=&data[b]=", "a=; b="),
        ("data[a][b]=%25&data[c]=%25", "a: [b]=%25; c=%"),
        (
            "data[a][b][c]=1&data%5Ba%5D[b][d]=2&data[a][e]=3&data[ab][b][c]=4",
            "a: [b][c]=1&[b][d]=2&[e]=3; ab: [b][c]=4",
        ),
        (
            "data[a][x]=1&data[a][y]=2&data[b][x]=3&data[b][y]=4&data[c]=5",
            "a: [x]=1&[y]=2; b: [x]=3&[y]=4; c=5",
        ),
    ] {
        assert_eq!(read_split(pairs).as_deref(), Some(forms), "{pairs}");
    }
    for apart in [
        "data[a][x]=1&data[b]=2&data[a][y]=3",
        "data[a][x]=1&data[b][x]=2&data[a][x]=3",
    ] {
        assert_eq!(read_split(apart), None, "{apart}");
    }
}

#[test]
fn unescaping_is_the_inverse_of_escaping() {
    for text in ["", "%", "a%%2B+&b", "&&", "100% + 5", "é&ü", "%2B%26%25"] {
        let mut rewriter = KeyRewriter::new(1, 0);
        for byte in text.bytes() {
            rewriter.write_byte::<false>(byte);
        }
        let escaped = String::from_utf8(rewriter.written).unwrap();
        assert_eq!(unescape(&escaped), text);
    }
}

#[test]
fn fast_path_leaves_colliding_keys_in_every_spelling_to_the_tree() {
    for pairs in [
        "data[a]=1&data[a]=2",
        "data[a]=1&data%5Ba%5D=2",
        "data[a]=1&data[b]=2&data[a%5D=3",
        "data[a][b]=1&data[c]=2&data[a]=3",
        "data[a]=1&data[c]=2&data%5Ba%5D[b]=3",
        "data[a][b][c]=1&data[a]=2",
        "data[a]=1&data[a][b][c]=2",
        "data[a][b]=1&data[a][c]=2&data[a][b]=3",
    ] {
        assert_eq!(read(pairs), None, "{pairs}");
        assert_eq!(read_split(pairs), None, "{pairs}");
    }
}

#[test]
fn fast_path_leaves_other_than_canonical_keys_to_the_tree() {
    for key in [
        "data",
        "data[]",
        "data[a][]",
        "data[a",
        "data[a]b",
        "data[a]]",
        "data[[a]]",
        "data[a]%5",
        "data[%61]",
        "data%5ba%5d",
        "data[a+b]",
        "data[00]",
        "data[01]",
        "data[ a]",
        "data[\ta]",
        "data[a][ b]",
        "dat[a]",
        "ts",
        "",
    ] {
        for pairs in [format!("data[x]=1&{key}=2"), format!("{key}=1&data[x]=2")] {
            assert_eq!(read(&pairs), None, "{pairs}");
            assert_eq!(read_split(&pairs), None, "{pairs}");
        }
        let rest = key.strip_prefix("data").unwrap_or(key);
        assert_eq!(is_canonical(rest.as_bytes(), 64), rest.is_empty(), "{key}");
    }
    for pairs in ["data[a]&data[b]=1", "data[b]=1&data[a]", "data[a]&"] {
        assert_eq!(read(pairs), None, "a pair without `=`: {pairs}");
    }
}

#[test]
fn fast_path_leaves_too_deep_keys_to_the_tree() {
    assert_eq!(max_names(62), 3);
    for (deep, fits) in [(3, true), (4, false)] {
        let key = "[a]".repeat(deep);
        assert_eq!(is_canonical(key.as_bytes(), 3), fits);
        // As the first key, and after keys with more and fewer names in common.
        for before in ["", "data[b]=1&", "data[a][b]=1&", "data[a][a][b]=1&"] {
            let pairs = format!("{before}data{key}=1");
            let read = strip_prefix(b"data", 62, pairs.as_bytes());
            assert_eq!(read.is_some(), fits, "{pairs}");
        }
    }
}

#[test]
fn fast_path_leaves_percent_signs_that_serde_qs_misreads_to_the_tree() {
    for (value, alike) in [
        ("", true),
        ("%", true),
        ("%4", true),
        ("100%", true),
        ("%5D%5D++", true),
        ("+%41+", true),
        ("%zz+", true),
        ("%%", false),
        ("%+", false),
        ("5%+a", false),
        ("%%5Dx", false),
        ("%5%5B", false),
        ("%5+", false),
        ("%++", false),
        ("%+aa%+aa", false),
    ] {
        assert_eq!(percent_decoding_agrees(value.as_bytes()), alike, "{value}");
        let within = format!("data[a]=b{value}&data[c]=d");
        assert_eq!(
            percent_decoding_agrees(within.as_bytes()),
            alike,
            "{within}"
        );
    }
}
