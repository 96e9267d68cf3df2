//! The fast path, the tree and serde_qs give the same types.

use std::collections::BTreeMap;

use arbtest::arbitrary::{self, Unstructured};
use arbtest::arbtest;

use super::*;
use crate::event::payload::{
    AppTest, AppUninstall, CrmAddress, CrmTimelineAction, ItemId, NoData, TaskChange, User,
};
use crate::form::field::{Flag, List, UndefinedOr};
use crate::form::from_value;

fn data(pairs: &str) -> FormReader<'_> {
    FormReader::alone(Some(Cow::Borrowed(pairs.as_bytes())))
}

#[test]
fn every_spelling_of_a_key_gives_the_same_type() {
    for pairs in [
        "data[FIELDS][ID]=27",
        "data%5BFIELDS%5D%5BID%5D=27",
        "data%5bFIELDS%5d%5bID%5d=27",
        "data[FIELDS]%5bID]=27",
        "data[%46IELDS][ID]=%32%37",
        "data[FIELDS][ID]=26&data[FIELDS][ID]=27",
        "data[FIELDS]=&data[FIELDS][ID]=27",
        "data[FIELDS][ID]x=27",
    ] {
        assert_eq!(data(pairs).fields::<ItemId>().unwrap().id, 27, "{pairs}");
    }
}

#[test]
fn key_that_php_folds_is_deserialized_as_in_the_tree() {
    for pairs in [
        "data[FIELDS][]=7",
        "data[FIELDS][ID][]=1",
        "data[FIELDS][ID]=1&data=x",
        "data[FIELDS][ID]=1&data[FIELDS]=",
        "data[FIELDS][ID]=1&data[FIELDS]=undefined",
        "data[FIELDS]=7&data[FIELDS]=8",
        "data[FIELDS]=7&data%5BFIELDS%5D=8",
        // Brackets that are never closed, or closed twice, or contain white space.
        "data[FIELDS][ID=1",
        "data%5BFIELDS%5D%5BID=1",
        "data%5BFIELDS%5D%5BID5D=1",
        "data[FIELDS][[ID]=1",
        "data[FIELDS][ ]=7",
        "data%5BFIELDS%5D%5B\t%5D=7",
    ] {
        assert!(data(pairs).fields::<ItemId>().is_err(), "{pairs}");
    }
    let query = |pairs| data(pairs).data::<AppTest>().unwrap().query.unwrap();
    let repeated = query("data[QUERY]=a&data[QUERY]=b");
    assert_eq!(repeated.as_str(), Some("b"));
    let padded = query("data[QUERY][01]=a&data[QUERY][1]=b");
    assert_eq!(padded["01"].as_str(), Some("a"));
    assert_eq!(padded["1"].as_str(), Some("b"));
    assert!(data("data=&data=").data::<AppTest>().is_ok());
}

#[test]
fn key_without_a_value_is_deserialized_as_an_empty_string() {
    for pairs in [
        "data[CLEAN]",
        "data%5BCLEAN%5D",
        "data[CLEAN]=",
        "data[%43LEAN]",
    ] {
        let gone: AppUninstall = data(pairs).data().unwrap();
        assert_eq!(gone.clean.map(bool::from), Some(false), "{pairs}");
    }
}

#[test]
fn broken_escape_is_deserialized_unchanged() {
    for (encoded, name) in [
        ("%%5Dx", "%]x"),
        ("%5%5B", "%5["),
        ("100%", "100%"),
        ("50%+off", "50% off"),
    ] {
        for pairs in [
            format!("data[ID]=1&data[NAME]={encoded}"),
            format!("data[NAME]={encoded}&data[ID]=1"),
        ] {
            let user: User = data(&pairs).data().unwrap();
            assert_eq!(user.name.as_deref(), Some(name), "{pairs}");
        }
        let query = data(&format!("data[QUERY]={encoded}")).data::<AppTest>();
        assert_eq!(query.unwrap().query.unwrap().as_str(), Some(name));
    }
}

#[test]
fn value_below_the_maximum_depth_is_deserialized_as_in_the_tree() {
    for deep in 60..70 {
        let key = format!("data[QUERY]{}", "[a]".repeat(deep));
        for pairs in [format!("{key}=1"), format!("data[x]=1&{key}=1")] {
            let tree = crate::form::tree::read(pairs.as_bytes()).unwrap().unwrap();
            let test: AppTest = data(&pairs).data().unwrap();
            assert_eq!(test.query.as_ref(), tree.get("QUERY"), "{deep}");
        }
    }
}

#[test]
fn unclosed_bracket_is_deserialized_as_in_the_tree() {
    // PHP makes `QUERY` a string, then an array without the string.
    let test: AppTest = data("data%5BQUERY%5D%5Bx=1&data%5BQUERY%5D%5By%5D=2")
        .data()
        .unwrap();
    let query = test.query.unwrap();
    assert_eq!((query.get("x"), query["y"].as_str()), (None, Some("2")));
}

#[test]
fn fast_path_and_tree_allow_the_same_number_of_arrays() {
    for (place, prefix) in [
        (Place::Data, "data"),
        (Place::Fields, "data[FIELDS]"),
        (Place::Fields, "data%5BFIELDS%5D"),
    ] {
        let mut counts = [0, 0];
        let mut pairs = format!("{prefix}[ID]=27");
        for at in 0..500 {
            if at < 330 {
                pairs += &format!("&{prefix}[x{at}][y]=1");
                continue;
            }
            let data = data(&pairs);
            let is_read = data.tree().is_ok();
            let fast = data.read_fast::<ItemId>(place);
            assert_eq!(fast.is_some(), is_read, "{prefix}: {at} arrays");
            counts[usize::from(is_read)] += 1;
            pairs += &format!("&{prefix}[x{at}][y]=1");
        }
        assert!(!counts.contains(&0), "{prefix}: {counts:?}");
    }
}

/// Reads a place by the fast path, if it takes the pairs, and asserts that the tree gives the same.
fn is_fast<T>(data: &FormReader<'_>, place: Place) -> bool
where
    T: DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let Some(fast) = data.read_fast::<T>(place) else {
        return false;
    };
    let slow = data.read_from_tree(place);
    let pairs = data.pairs.as_deref().unwrap_or_default();
    assert_eq!(Ok(fast), slow, "{}", pairs.escape_ascii());
    true
}

/// Fields that serde_qs reads in several ways: structs, maps, lists, options and strings, which may be empty.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Nested {
    id: Option<Id>,
    query: Option<BTreeMap<String, Value>>,
    name: Option<Vec<String>>,
    #[serde(default)]
    uf_department: List<u64>,
    a: Option<String>,
    #[serde(rename = "b")]
    b: Option<bool>,
    #[serde(rename = "0")]
    zero: Option<Box<Nested>>,
    #[serde(rename = "1")]
    one: Option<()>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
    Array(BTreeMap<String, Value>),
}

/// Compares the readings of one random form, and returns how many were fast for each type.
fn compare(u: &mut Unstructured<'_>) -> arbitrary::Result<[usize; 7]> {
    const NAMES: [&[u8]; 26] = [
        b"[]",
        b"[a]",
        b"[b]",
        b"[0]",
        b"[01]",
        b"[1]",
        b"%5Ba%5D",
        b"%5B0%5D",
        b"%5b1%5d",
        b"[a",
        b"%5Bb",
        b"]",
        b"a",
        b"[-1]",
        b"[4294967296]",
        "[é]".as_bytes(),
        b"[\xFF]",
        b"[%FF]",
        b"[NAME]",
        b"[UF_DEPARTMENT]",
        b"[QUERY]",
        b"%5BQUERY%5D",
        b"[FIELDS_AFTER]",
        b"[ID]",
        b"%5BID%5D",
        b"[id]",
    ];
    const VALUES: [&[u8]; 13] = [
        b"x", b"y", b"0", b"%", b"+", b"%5B", b"%2B", b"%25", b"%26", b"%FF", b"\xFF", b"7", b"Y",
    ];
    let root: &[u8] = if u.ratio(1, 3)? {
        b"data[FIELDS]"
    } else {
        b"data"
    };
    let mut pairs = Vec::new();
    for id in [&b"[ID]=27&"[..], b"[id]=x&"] {
        if u.arbitrary()? {
            pairs.extend_from_slice(root);
            pairs.extend_from_slice(id);
        }
    }
    for _ in 0..u.int_in_range(1..=5)? {
        pairs.extend_from_slice(root);
        for _ in 0..u.int_in_range(0..=3)? {
            pairs.extend_from_slice(u.choose(&NAMES)?);
        }
        if u.ratio(9, 10)? {
            pairs.push(b'=');
            for _ in 0..u.int_in_range(0..=3)? {
                pairs.extend_from_slice(u.choose(&VALUES)?);
            }
        }
        pairs.push(b'&');
    }
    if u.arbitrary()? {
        pairs.pop();
    }
    let data = FormReader::alone(Some(Cow::Owned(pairs)));
    let mut fast = [0; 7];
    for place in [Place::Data, Place::Fields] {
        fast[0] += usize::from(is_fast::<Value>(&data, place));
        fast[1] += usize::from(is_fast::<ItemId>(&data, place));
        fast[2] += usize::from(is_fast::<User>(&data, place));
        fast[3] += usize::from(is_fast::<AppTest>(&data, place));
        fast[4] += usize::from(is_fast::<TaskChange>(&data, place));
        fast[5] += usize::from(is_fast::<Nested>(&data, place));
        fast[6] += usize::from(is_fast::<CrmTimelineAction>(&data, place));
    }
    Ok(fast)
}

/// Bytes for as many random forms as a test needs, however long it takes.
fn random_bytes() -> impl Iterator<Item = [u8; 128]> {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        std::array::from_fn(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 32) as u8
        })
    })
}

#[test]
fn fast_path_and_tree_give_the_same_type() {
    arbtest(|u| compare(u).map(|_| ()));

    let mut fast = [0; 7];
    for bytes in random_bytes().take(5000) {
        let counts = compare(&mut Unstructured::new(&bytes)).unwrap();
        for (fast, count) in fast.iter_mut().zip(counts) {
            *fast += count;
        }
    }
    assert!(fast.iter().all(|&fast| fast > 100), "{fast:?}");
}

/// Reads each value as a field of a struct, where it has parts.
struct InParts {
    fast: usize,
    all: usize,
}

impl from_value::tests::Check for InParts {
    fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(&mut self, value: &Value) {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Root<T> {
            field: T,
        }

        let mut pairs = String::new();
        from_value::tests::encode("data[field]", value, &mut pairs);
        // Compared as a struct in a struct, too, one name deeper.
        for pairs in [pairs.replace("data[field]", "data[field][field]"), pairs] {
            let data = data(&pairs);
            self.all += 1;
            self.fast += usize::from(is_fast::<Root<T>>(&data, Place::Data));
            self.fast += usize::from(is_fast::<Root<Root<T>>>(&data, Place::Data));
        }
    }
}

#[test]
fn any_field_in_parts_gives_the_same_type_as_the_tree() {
    let mut in_parts = InParts { fast: 0, all: 0 };
    arbtest(|u| from_value::tests::check(u, &mut in_parts));

    let mut in_parts = InParts { fast: 0, all: 0 };
    for bytes in random_bytes().take(200) {
        from_value::tests::check(&mut Unstructured::new(&bytes), &mut in_parts).unwrap();
    }
    let InParts { fast, all } = in_parts;
    assert!(fast > all / 20, "{fast} of {all}");
}

#[test]
fn plain_pair_gives_the_same_type_as_the_tree() {
    const PLACES: [&str; 4] = [
        "data",
        "data[FIELDS]",
        "data%5BFIELDS%5D",
        "data%5bFIELDS%5d",
    ];
    const KEYS: [&str; 8] = [
        "[ID]", "%5BID%5D", "[id]", "[CLEAN]", "[0]", "[ID", "[ID]x", "[]",
    ];
    const TEXTS: [&str; 8] = ["=27", "=007", "=Y", "=x9", "=", "", "=%32", "=-1"];

    fn agree<T: DeserializeOwned + PartialEq + std::fmt::Debug>(pair: &str) -> bool {
        let data = data(pair);
        // Both places are compared.
        [Place::Data, Place::Fields]
            .map(|place| is_fast::<T>(&data, place) && data.plain_pair(place).is_some())
            .contains(&true)
    }

    let mut fast = 0;
    for place in PLACES {
        for key in KEYS {
            for text in TEXTS {
                let pair = format!("{place}{key}{text}");
                fast += usize::from(agree::<Value>(&pair));
                fast += usize::from(agree::<ItemId>(&pair));
                fast += usize::from(agree::<AppUninstall>(&pair));
                fast += usize::from(agree::<CrmAddress>(&pair));
            }
        }
    }
    assert!(fast > 30, "{fast} plain pairs");
}

#[test]
fn only_id_is_that_of_the_tree() {
    const KEYS: [&str; 8] = [
        "data[FIELDS][ID]",
        "data%5BFIELDS%5D%5BID%5D",
        "data%5bFIELDS%5d%5bID%5d",
        "data[FIELDS]%5BID%5D",
        "data[FIELDS][id]",
        "data[FIELDS][ID][0]",
        "data[ID]",
        "data",
    ];
    const TEXTS: [&str; 14] = [
        "=27",
        "=0",
        "=007",
        "=9999999999999999999",
        "=18446744073709551615",
        "=18446744073709551616",
        "=00000000000000000000000000000027",
        "=+27",
        "=-1",
        "=2%37",
        "=27x",
        "=27&data[FIELDS][ID]=28",
        "=",
        "",
    ];

    let mut found = 0;
    for key in KEYS {
        for text in TEXTS {
            let form = format!("{key}{text}");
            let data = data(&form);
            if let Some(id) = data.only_id() {
                let of_tree = data.read_from_tree::<ItemId>(Place::Fields);
                assert_eq!(of_tree.map(|item| item.id), Ok(id), "{form}");
                found += 1;
            }
        }
    }
    assert_eq!(found, 2 * 4, "the plain ids");
}

#[test]
fn optional_field_may_be_empty_or_absent() {
    let address = data(
        "data[FIELDS][TYPE_ID]=1&data[FIELDS][ENTITY_TYPE_ID]=8\
         &data[FIELDS][ENTITY_ID]=1&data[FIELDS][ANCHOR_ID]=",
    )
    .fields::<CrmAddress>()
    .unwrap();
    assert_eq!((address.anchor_id, address.anchor_type_id), (None, None));

    let gone = data("data[CLEAN]=&data[LANGUAGE_ID]=")
        .data::<AppUninstall>()
        .unwrap();
    assert_eq!(gone.clean.map(bool::from), Some(false));
    assert_eq!(gone.language_id.as_deref(), Some(""));

    assert!(FormReader::alone(None).data::<NoData>().is_ok());
    assert!(FormReader::alone(None).data::<AppTest>().is_ok());
    assert!(data("data[whatever][else]=1").data::<NoData>().is_ok());
}

#[test]
fn list_is_deserialized_with_gaps_and_with_ids_as_indices() {
    let user = data("data[ID]=1&data[UF_DEPARTMENT][999999999]=12&data[UF_DEPARTMENT][3]=1");
    assert_eq!(*user.data::<User>().unwrap().departments, [1, 12]);
    let user = data("data[ID]=1&data[UF_DEPARTMENT][]=1&data[UF_DEPARTMENT][]=2");
    assert_eq!(*user.data::<User>().unwrap().departments, [1, 2]);
    assert!(
        data("data[ID]=1&data[UF_DEPARTMENT]=x")
            .data::<User>()
            .is_err()
    );
}

#[test]
fn undefined_value_is_deserialized() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Change {
        #[serde(default)]
        item: UndefinedOr<ItemId>,
        #[serde(default)]
        flag: UndefinedOr<Flag>,
    }
    let read = |pairs| {
        let Change { item, flag } = data(pairs).data()?;
        let id = item.into_value().map(|item| item.id);
        Ok((id, flag.into_value().map(Flag::is_yes)))
    };
    assert_eq!(
        read("data[item]=undefined&data[flag]=undefined"),
        Ok((None, None))
    );
    assert_eq!(read("data[item]=&data[flag]="), Ok((None, None)));
    assert_eq!(read("data[x]=1"), Ok((None, None)));
    assert_eq!(
        read("data[item][ID]=27&data[flag]=Y"),
        Ok((Some(27), Some(true)))
    );
    assert_eq!(
        read("data%5bitem%5d[ID]=27&data[flag]=0"),
        Ok((Some(27), Some(false)))
    );
    let rejected = |pairs| -> Mismatch { read(pairs).unwrap_err() };
    for pairs in [
        "data[item]=27",
        "data[item][0]=27",
        "data[item][]=27",
        "data[flag][ID]=Y",
    ] {
        let mismatch = rejected(pairs);
        let path = mismatch.path();
        assert_eq!(path, pairs[..9].replace('[', "."), "{pairs}");
    }
    assert_eq!(rejected("data[item][ID]=x").path(), "data.item.ID");
}

#[test]
fn invalid_utf8_does_not_lose_the_payload() {
    let user = data("data[ID]=1&data[NAME]=%CF%F0").data::<User>().unwrap();
    assert_eq!(user.name.as_deref(), Some("\u{FFFD}\u{FFFD}"));
}

#[test]
fn invalid_utf8_is_kept_if_the_type_can_hold_bytes() {
    for more in ["", "&data[x]=1", "&data[%78]=1", "&data[x][]=1"] {
        let pairs = format!("data[QUERY][a]=%CF{more}");
        let query = data(&pairs).data::<AppTest>().unwrap().query.unwrap();
        assert_eq!(query["a"].as_bytes(), Some(&b"\xCF"[..]), "{pairs}");
    }
}

#[test]
fn mismatch_has_the_path_and_the_reason() {
    let mismatch = |pairs| data(pairs).fields::<ItemId>().unwrap_err().to_string();
    assert_eq!(mismatch("data[x]=1"), "data: missing field `FIELDS`");
    assert_eq!(
        mismatch("data[FIELDS][x]=1"),
        "data.FIELDS: missing field `ID`"
    );
    assert_eq!(
        mismatch("data[FIELDS][ID]=27a"),
        "data.FIELDS.ID: invalid type: string \"27a\", expected u64"
    );
    assert!(mismatch("data[FIELDS][ID][x]=1").starts_with("data.FIELDS.ID: invalid type"));
}

#[test]
fn mismatch_quotes_the_beginning_of_the_value() {
    let quoted = |text: &str| {
        let form = format!("data[FIELDS][ID]={text}");
        let mismatch = data(&form).fields::<ItemId>().unwrap_err();
        let reason = mismatch
            .reason()
            .strip_prefix("invalid type: string \"")
            .unwrap();
        reason.strip_suffix("\", expected u64").unwrap().to_owned()
    };
    assert_eq!(quoted(&"a".repeat(64)), "a".repeat(64));
    assert_eq!(quoted(&"a".repeat(65)), format!("{}…", "a".repeat(64)));
    assert_eq!(quoted(&"ä".repeat(9_999)), format!("{}…", "ä".repeat(64)));
    assert_eq!(quoted("a\"b`c\\"), r#"a\"b`c\\"#);
    assert_eq!(
        quoted(&format!("\"{}", "a".repeat(99))),
        format!("\\\"{}…", "a".repeat(62))
    );
}

#[test]
fn wrapper_is_found_in_every_spelling_of_its_key() {
    use crate::event::payload::OpenLineMessageAdd;

    for key in [
        "data[0][connector]",
        "data%5B0%5D%5Bconnector%5D",
        "data%5b0%5d%5bconnector%5d",
        "data%5B%30%5D[connector]",
        "data[][connector]",
        "data[ ][connector]",
        "data=&data[0][connector]",
        "&data[0][connector]",
        "data[FIELDS][connector]",
        "data%5bFIELDS%5d[connector]",
        "data%5B%46IELDS%5D[connector]",
    ] {
        let form = format!("{key}=1985");
        let form = data(&form);
        let read = form.payload(FormReader::data::<OpenLineMessageAdd>, false, None);
        assert_eq!(read.unwrap().connector.as_deref(), Some("1985"), "{key}");
    }
}

#[test]
fn key_that_is_not_a_wrapper_is_none_in_every_spelling() {
    use crate::event::payload::AppMethodConfirm;

    // Data without a wrapper are read as documented: other spellings of a name are ignored.
    for name in ["[METHOD]", "%5BMETHOD%5D", "%5bMETHOD%5d", "[%4DETHOD]"] {
        let form = format!("data{name}=a.b&data[CONFIRMED]=1&data[LANGUAGE_iD]=de");
        let form = data(&form);
        let read = form.payload(FormReader::data::<AppMethodConfirm>, false, None);
        assert_eq!(read.unwrap().language_id, None, "{name}");
    }
}

/// This payload keeps the fields that it does not know.
#[test]
fn unknown_fields_are_kept_in_the_order_of_the_tree() {
    for (pairs, names) in [
        ("data[id]=x&data[zeta]=1&data[alpha]=2", ["alpha", "zeta"]),
        ("data[zeta]=1&data[alpha]=%FF&data[id]=x", ["alpha", "zeta"]),
        ("data[b]=1&data[10]=2&data[id]=x", ["10", "b"]),
        ("data[10]=1&data[id]=x&data[9]=2", ["9", "10"]),
    ] {
        for pairs in [
            pairs.to_owned(),
            pairs.replace('[', "%5b").replace(']', "%5d"),
        ] {
            let action: CrmTimelineAction = data(&pairs).data().unwrap();
            let params = action.action_params.unwrap();
            let params = params.as_array().unwrap();
            let read: Vec<_> = params.iter().map(|(name, _)| name).collect();
            assert_eq!(read, names, "{pairs}");
        }
    }
}
