//! Forms in parts, and their order.

use super::*;

fn parts(form: &str, fields: &[&str]) -> Option<String> {
    let parts = split_sorted(form, fields)?;
    let shown = parts.iter().map(|part| {
        let kind = match part.kind {
            Kind::Text => "=",
            Kind::EscapedText => "%=",
            Kind::Form => ": ",
            Kind::NamedForm => ":: ",
        };
        format!("{}{kind}{}", part.name, &form[part.start..part.end])
    });
    Some(shown.collect::<Vec<_>>().join("; "))
}

#[test]
fn form_is_split_into_what_stands_under_each_name() {
    let long = "x".repeat(200);
    for (form, shown) in [
        ("[a]=1", "a=1".to_owned()),
        ("[a]=", "a=".to_owned()),
        ("[a]==[&[b]=]", "a==[; b=]".to_owned()),
        ("[a]=%25&[b]=x%26y%2B", "a%=%25; b%=x%26y%2B".to_owned()),
        ("[a][b]=1", "a: [b]=1".to_owned()),
        ("[a][b][c]=%25&[b]=2", "a: [b][c]=%25; b=2".to_owned()),
        (
            "[a][b]=1&[a][c][d]=2&[ab][c]=3&[abc]=4",
            "a:: [a][b]=1&[a][c][d]=2; ab: [c]=3; abc=4".to_owned(),
        ),
        (
            "[a]=1&[b][x]=&[b][y]=&[b][z]=",
            "a=1; b:: [b][x]=&[b][y]=&[b][z]=".to_owned(),
        ),
        (
            &format!("[a]={long}&[b]={long}%25{long}&[c][{long}]={long}&[{long}]="),
            format!("a={long}; b%={long}%25{long}; c: [{long}]={long}; {long}="),
        ),
    ] {
        assert_eq!(parts(form, &[]), Some(shown), "{form}");
    }
}

#[test]
fn parts_are_sorted_by_field_then_index_then_name() {
    for (form, fields, sorted) in [
        ("[b]=&[a]=", &[][..], "a=; b="),
        (
            "[b]=&[10]=&[9]=&[-1]=&[4294967296]=",
            &[],
            "9=; 10=; -1=; 4294967296=; b=",
        ),
        ("[c]=&[a]=&[1]=&[b]=", &["b", "c"], "b=; c=; 1=; a="),
        ("[b]=&[c]=&[0]=", &["a", "b", "c", "d"], "b=; c=; 0="),
        ("[b]=&[z]=&[c]=", &["b", "c"], "b=; c=; z="),
        ("[1]=&[0]=", &["1", "0"], "1=; 0="),
    ] {
        assert_eq!(parts(form, fields).as_deref(), Some(sorted), "{form}");
    }
    let names = |names: &[String]| {
        let pairs = names.iter().map(|name| format!("[{name}]="));
        pairs.collect::<Vec<_>>().join("&")
    };
    let shuffled: Vec<_> = (0..100)
        .map(|at| format!("x{}", at * 37 % 100 + 100))
        .collect();
    let mut sorted = shuffled.clone();
    sorted.sort();
    assert_eq!(parts(&names(&shuffled), &[]), parts(&names(&sorted), &[]));
}

#[test]
fn form_whose_names_do_not_stand_together_is_not_split() {
    for form in [
        "",
        "[a][x]=1&[b]=2&[a][y]=3",
        "[a][x]=1&[a][y]=2&[b]=2&[a][z]=3",
        "[a][x]=1&[ab][x]=2&[a][z]=3",
    ] {
        assert_eq!(parts(form, &[]), None, "{form}");
        assert_eq!(parts(form, &["a", "b"]), None, "{form}");
    }
}
