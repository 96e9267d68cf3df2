//! Reading `data` into types.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memchr2, memchr3};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::value::{Value, is_secret};
use crate::form::pairs;

/// The pairs of `data`, still encoded.
pub(super) struct Data {
    pairs: Bytes,
}

/// What the pairs of `data` are to serde_qs.
#[derive(Deserialize)]
struct Root<T> {
    data: T,
}

/// `data` with everything in `FIELDS`.
#[derive(Deserialize)]
struct Fields<T> {
    #[serde(rename = "FIELDS")]
    fields: T,
}

impl Data {
    /// `None` stands for a body without `data`, which reads as a type without required fields.
    pub(super) fn new(pairs: Option<Bytes>) -> Self {
        Self {
            pairs: pairs.unwrap_or(Bytes::from_static(b"data=")),
        }
    }

    /// The type that `data` itself is.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.quickly().map_or_else(|| self.thoroughly(), Ok)
    }

    /// The type that `data[FIELDS]` is.
    pub(super) fn fields<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.data().map(|Fields { fields }| fields)
    }

    /// The type that `data[FIELDS]` is where there is one, and `data` itself where there is none:
    /// the documentation does not always say.
    pub(super) fn either<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        match self.fields::<Value>() {
            Ok(Value::Array(_)) => self.fields(),
            _ => self.data(),
        }
    }

    /// Reads the pairs as they are, which does for what the platform sends.
    fn quickly<T: DeserializeOwned>(&self) -> Option<T> {
        let config = config().use_form_encoding(true);
        let read = || config.deserialize_bytes(&self.pairs).ok();
        are_plain(&self.pairs).then(read)?.map(|Root { data }| data)
    }

    /// Reads the tree, which has PHP's answer to whatever is unusual in the keys, and says what
    /// does not fit.
    fn thoroughly<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        let form = Value::read(&self.pairs)
            .map(|tree| tree.to_form())
            .unwrap_or_default();
        let config = config().use_form_encoding(false);
        let deserializer =
            serde_qs::Deserializer::with_config(config, &form).map_err(|error| Mismatch {
                path: String::new(),
                reason: error.to_string(),
            })?;
        serde_path_to_error::deserialize(deserializer)
            .map(|Root { data }| data)
            .map_err(|error| Mismatch::at(error.path(), error.inner()))
    }
}

/// Whether serde_qs reads these pairs as PHP does: each key is there once, none is an array and a
/// text too, all are spelled in one way, no index is left to be counted or padded, each pair has a
/// `=`, and a `%` always starts an escape.
fn are_plain(data: &[u8]) -> bool {
    let mut few: [&[u8]; 16] = [&[]; 16];
    let mut many = Vec::new();
    let mut count = 0;
    let (mut literal, mut escaped) = (false, false);
    for pair in pairs(data) {
        let Some(mut rest) = pair.key.strip_prefix(b"data") else {
            return false;
        };
        while !rest.is_empty() {
            let Some((name, behind, is_literal)) = bracketed(rest) else {
                return false;
            };
            literal |= is_literal;
            escaped |= !is_literal;
            let unusual = matches!(
                name,
                [] | [b'0', b'0'..=b'9', ..] | [b' ' | b'\t'..=b'\r', ..]
            );
            if unusual || literal && escaped {
                return false;
            }
            rest = behind;
        }
        // A pair without `=` is an empty text to PHP, and no value to serde_qs.
        if pair.key.len() == pair.end - pair.start {
            return false;
        }
        // serde_qs skips two bytes behind a `%` that starts no escape, and so misses one there.
        let value = pair.value;
        let is_escape = |at| value[at..].get(1..3).is_some_and(is_hex);
        if !memchr_iter(b'%', value).all(is_escape) {
            return false;
        }
        match few.get_mut(count) {
            Some(place) => *place = pair.key,
            None => many.push(pair.key),
        }
        count += 1;
    }
    let keys = if many.is_empty() {
        &mut few[..count]
    } else {
        many.extend(few);
        &mut many[..]
    };
    // The keys that begin with another one stand right behind it.
    keys.sort_unstable();
    keys.windows(2).all(|pair| !pair[1].starts_with(pair[0]))
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

/// The name in the brackets that `key` begins with, what stands behind them, and whether they are
/// literal; `None` where there are none, or the name has escapes or brackets of its own.
fn bracketed(key: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let (name, behind, is_literal) = match key {
        [b'[', inner @ ..] => {
            let close = memchr(b']', inner)?;
            (&inner[..close], &inner[close + 1..], true)
        }
        [b'%', b'5', b'B', inner @ ..] => {
            let close = memchr2(b'%', b']', inner)?;
            (&inner[..close], inner[close..].strip_prefix(b"%5D")?, false)
        }
        _ => return None,
    };
    memchr3(b'%', b'[', b'+', name)
        .is_none()
        .then_some((name, behind, is_literal))
}

const fn config() -> serde_qs::Config {
    serde_qs::Config::new().max_depth(Value::MAX_DEPTH + 1)
}

/// Why `data` does not fit a type: where, what was expected and what was found.
///
/// ```
/// use tower_bitrix24::{ApplicationToken, Envelope, Event, Payload};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=new&auth[application_token]=192735";
/// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
/// assert_eq!(*event.payload(), Payload::Unknown);
/// let mismatch = event.mismatch().expect("an id is a number");
/// assert_eq!(mismatch.path(), "data.FIELDS.ID");
/// assert_eq!(mismatch.to_string(), "data.FIELDS.ID: invalid type: string \"new\", expected u64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    path: String,
    reason: String,
}

impl Mismatch {
    fn at(path: &Path, error: &serde_qs::Error) -> Self {
        let secret = path.iter().any(|segment| match segment {
            Segment::Map { key } => is_secret(key),
            _ => false,
        });
        Self {
            path: path.to_string().trim_end_matches('.').to_owned(),
            reason: match secret {
                true => "what was found does not fit and is not shown".to_owned(),
                false => error.to_string(),
            },
        }
    }

    /// The path of the field, such as `data.FIELDS.ID`; for a field that is absent, of what should
    /// have it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was expected there and what was found.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::field::{Flag, UndefinedOr};
    use crate::event::payload::{AppTest, AppUninstall, CrmAddress, ItemId, NoData, User};

    fn data(pairs: &'static str) -> Data {
        Data::new(Some(Bytes::from_static(pairs.as_bytes())))
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
    fn a_key_that_php_reads_in_its_own_way_gives_the_type_of_the_tree() {
        for pairs in [
            "data[FIELDS][]=7",
            "data[FIELDS][ID][]=1",
            "data[FIELDS][ID]=1&data=x",
            "data[FIELDS][ID]=1&data[FIELDS]=",
            "data[FIELDS][ID]=1&data[FIELDS]=undefined",
            "data[FIELDS]=7&data[FIELDS]=8",
            "data[FIELDS]=7&data%5BFIELDS%5D=8",
            // Brackets that are never closed, or closed twice, or hold white space.
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
        assert!(
            Data::new(Some("data=&data=".into()))
                .data::<AppTest>()
                .is_ok()
        );
    }

    #[test]
    fn a_percent_sign_that_starts_no_escape_is_itself_in_the_type_too() {
        for (encoded, name) in [("%%5Dx", "%]x"), ("%5%5B", "%5["), ("100%", "100%")] {
            let pairs = format!("data[ID]=1&data[NAME]={encoded}");
            let user: User = Data::new(Some(pairs.into())).data().unwrap();
            assert_eq!(user.name.as_deref(), Some(name));
        }
    }

    #[test]
    fn a_key_without_a_value_is_an_empty_text_in_the_type_too() {
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
    fn a_bracket_that_is_never_closed_gives_the_type_of_the_tree() {
        // PHP makes a text of `QUERY`, and then an array of it, without the text.
        let test: AppTest = data("data%5BQUERY%5D%5Bx=1&data%5BQUERY%5D%5By%5D=2")
            .data()
            .unwrap();
        let query = test.query.unwrap();
        assert_eq!((query.get("x"), query["y"].as_str()), (None, Some("2")));
    }

    proptest! {
        #[test]
        fn the_quick_way_gives_what_the_thorough_way_gives(
            pairs in concat!(
                "(data(\\[(a|b|0|01|1)?\\]|%5B(a|b|0)%5D|%5b1%5d",
                "|\\[a|%5Ba|\\]|%5D|a){0,3}=[xy0]?&){1,5}",
            )
        ) {
            let data = Data::new(Some(pairs.into()));
            if let Some(quick) = data.quickly::<Value>() {
                // serde_qs sorts the keys, and takes an empty array for an empty text.
                let thorough: Value = data.thoroughly().unwrap();
                prop_assert_eq!(quick, thorough);
            }
        }
    }

    #[test]
    fn what_is_empty_or_absent_is_no_mismatch_where_it_is_optional() {
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

        assert!(Data::new(None).data::<NoData>().is_ok());
        assert!(Data::new(None).data::<AppTest>().is_ok());
        assert!(data("data[whatever][else]=1").data::<NoData>().is_ok());
    }

    #[test]
    fn a_list_may_have_gaps_and_ids_for_indices() {
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
    fn what_is_in_fields_or_beside_them_is_read_from_where_it_is() {
        let id = |pairs| data(pairs).either::<ItemId>().map(|item| item.id);
        assert_eq!(id("data[FIELDS][ID]=27"), Ok(27));
        assert_eq!(id("data[ID]=27"), Ok(27));
        assert_eq!(id("data[FIELDS]=&data[ID]=27"), Ok(27));
        assert_eq!(id("data[FIELDS][ID]=27&data[ID]=28"), Ok(27));
        assert_eq!(
            id("data[FIELDS][ID]=x").unwrap_err().path(),
            "data.FIELDS.ID"
        );
        assert_eq!(id("data[ID]=x").unwrap_err().path(), "data.ID");
        assert_eq!(id("data=27").unwrap_err().path(), "data");
    }

    #[test]
    fn a_value_may_be_undefined() {
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
        let refused = |pairs| -> Mismatch { read(pairs).unwrap_err() };
        for pairs in [
            "data[item]=27",
            "data[item][0]=27",
            "data[item][]=27",
            "data[flag][ID]=Y",
        ] {
            let path = refused(pairs).path;
            assert_eq!(path, pairs[..9].replace('[', "."), "{pairs}");
        }
        assert_eq!(refused("data[item][ID]=x").path, "data.item.ID");
    }

    #[test]
    fn text_that_is_not_utf8_does_not_lose_the_payload() {
        let user = data("data[ID]=1&data[NAME]=%CF%F0").data::<User>().unwrap();
        assert_eq!(user.name.as_deref(), Some("\u{FFFD}\u{FFFD}"));
    }

    #[test]
    fn a_mismatch_says_where_and_why() {
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
}
