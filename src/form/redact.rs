//! Shows a `Value` without its secrets.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::key::php_index;
use super::value::{Array, Value};
use crate::secret::{REDACTED, is_secret_key, names_auth, without_secrets};

impl Value {
    fn redacted(&self) -> Redacted<'_> {
        Redacted {
            value: self,
            context: Context::REDACTED,
        }
    }

    /// Returns the value for a serializer, secrets included. Keep it out of logs.
    ///
    /// ```
    /// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let body = "event=ONAPPMETHODCONFIRM&data[TOKEN]=fkp963yuv1gg&auth[application_token]=192735";
    /// # let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
    /// let data = event.data().expect("the event has data");
    /// assert_eq!(serde_json::to_string(data)?, r#"{"TOKEN":"[redacted]"}"#);
    /// assert_eq!(serde_json::to_string(&data.expose())?, r#"{"TOKEN":"fkp963yuv1gg"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expose(&self) -> impl Serialize + '_ {
        Redacted {
            value: self,
            context: Context {
                exposed: true,
                in_auth: false,
            },
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.redacted().serialize(serializer)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redacted().fmt(f)
    }
}

impl Serialize for Array {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_entries(self, Context::REDACTED, serializer)
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_entries(self, Context::REDACTED, f)
    }
}

struct Redacted<'a> {
    value: &'a Value,
    context: Context,
}

#[derive(Clone, Copy)]
struct Context {
    exposed: bool,
    /// The value is under `auth`, with only indices in between.
    in_auth: bool,
}

impl Context {
    const REDACTED: Self = Self {
        exposed: false,
        in_auth: false,
    };

    /// Returns the value under `key`, or `None` if it must not be shown.
    fn entry<'a>(self, key: &str, value: &'a Value) -> Option<Redacted<'a>> {
        let in_auth = names_auth(key) || self.in_auth && php_index(key).is_some();
        let is_secret = is_secret_key(key) || in_auth && value.as_array().is_none();
        if is_secret && !self.exposed {
            return None;
        }
        Some(Redacted {
            value,
            context: Self { in_auth, ..self },
        })
    }
}

impl Serialize for Redacted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let string = match self.value {
            Value::Text(string) => Cow::Borrowed(&**string),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes),
            Value::Array(array) => return serialize_entries(array, self.context, serializer),
        };
        if self.context.exposed {
            serializer.serialize_str(&string)
        } else {
            serializer.serialize_str(&without_secrets(&string))
        }
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Value::Text(string) => without_secrets(string).fmt(f),
            Value::Bytes(bytes) => {
                let string = bytes.escape_ascii().to_string();
                write!(f, "b\"{}\"", without_secrets(&string))
            }
            Value::Array(array) => debug_entries(array, self.context, f),
        }
    }
}

fn serialize_entries<S: Serializer>(
    array: &Array,
    context: Context,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if array.is_list() {
        let mut list = serializer.serialize_seq(Some(array.len()))?;
        for (key, value) in array.iter() {
            match context.entry(key, value) {
                None => list.serialize_element(REDACTED)?,
                Some(value) => list.serialize_element(&value)?,
            }
        }
        return list.end();
    }
    let mut map = serializer.serialize_map(Some(array.len()))?;
    for (key, value) in array.iter() {
        match context.entry(key, value) {
            None => map.serialize_entry(key, REDACTED)?,
            Some(value) => map.serialize_entry(key, &value)?,
        }
    }
    map.end()
}

fn debug_entries(array: &Array, context: Context, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut map = f.debug_map();
    for (key, value) in array.iter() {
        match context.entry(key, value) {
            None => map.entry(&key, &format_args!("{REDACTED}")),
            Some(value) => map.entry(&key, &value),
        };
    }
    map.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn tree_of(data: &[u8]) -> Value {
        tree::read(data).unwrap().unwrap()
    }

    #[test]
    fn tokens_are_redacted_at_any_depth() {
        let value = tree_of(
            b"data[BOT][7][AUTH][access_token]=s3&data[TOKEN]=s3&data[a][auth_id][x]=s3&data[b]=ok",
        );
        for shown in [format!("{value:?}"), serde_json::to_string(&value).unwrap()] {
            assert!(!shown.contains("s3") && shown.contains("ok"), "{shown}");
        }
        assert_eq!(value["TOKEN"].as_str(), Some("s3"));
    }

    /// Each has only one word that makes it the key of a secret.
    const SECRET: [&str; 53] = [
        "application_token",
        "TOKEN",
        "client_secret",
        "password",
        "PASS_WORD",
        "passwd",
        "DB_PASSWD",
        "apikey",
        "api_key",
        "API-KEY",
        "apiKey",
        "accessKey",
        "access-key",
        "private_key",
        "privateKey",
        "authorization",
        "Proxy-Authorization",
        "credential",
        "credentials",
        "sessid",
        "PHPSESSID",
        "bitrix_sessid",
        "AUTH_ID",
        "authId",
        "auth-id",
        "REFRESH_ID",
        "refreshId",
        "pass",
        "PASS",
        "pwd",
        "PWD",
        "auth.id",
        "auth id",
        "auth/id",
        "api key",
        "api.key",
        "API:KEY",
        "access key",
        "APP_SID",
        "appSid",
        "app.sid",
        "cookie",
        "Set-Cookie",
        "COOKIES",
        "jwt",
        "JWT_ASSERTION",
        "passphrase",
        "pass phrase",
        "KEY_PASSPHRASE",
        "signature",
        "X-Signature",
        "hub.signature",
        "pass.word",
    ];

    const PUBLIC: [&str; 14] = [
        "passive",
        "compass",
        "PASSPORT",
        "bypass",
        "cpwd",
        "author",
        "AUTHOR_ID",
        "external_auth_id",
        "authority",
        "PROCESS_ID",
        "SESSION_ID",
        "refresh",
        "key",
        "KEYBOARD",
    ];

    #[test]
    fn secret_key_redacts_the_string_or_array_under_it() {
        for key in SECRET {
            for place in ["", "[x]", "[x][y]"] {
                assert_hidden(&format!("data[{key}]{place}=canary"));
                assert_hidden(&format!("data[a][0][{key}]{place}=canary"));
            }
            assert_hidden(&format!("data{}[{key}]=canary", "[a]".repeat(70)));
        }
    }

    #[test]
    fn key_that_resembles_a_secret_key_redacts_nothing() {
        for key in PUBLIC {
            assert_shown(&format!("data[{key}]=canary"));
            assert_shown(&format!("data[{key}][x]=canary"));
        }
    }

    #[test]
    fn string_under_auth_is_redacted_and_an_array_by_its_keys() {
        for key in ["auth", "AUTH", "Auth"] {
            assert_hidden(&format!("data[{key}]=canary"));
            assert_hidden(&format!("data[{key}]=canary%FF"));
            assert_hidden(&format!("data[bot][{key}]=canary"));
            assert_hidden(&format!("data{}[{key}]=canary", "[a]".repeat(70)));
            assert_hidden(&format!("data[{key}][0]=canary"));
            assert_hidden(&format!("data[{key}][]=x&data[{key}][][7]=canary"));
            assert_hidden(&format!("data[{key}][x]=1&data[{key}][5]=canary"));
            assert_shown(&format!("data[{key}][0][domain]=canary"));
            assert_hidden(&format!("data[{key}][access_token]=canary"));
            assert_hidden(&format!("data[{key}][{key}]=canary"));
            assert_shown(&format!("data[{key}][domain]=canary"));
        }
    }

    #[test]
    fn only_the_token_of_a_link_is_redacted() {
        for name in ["auth", "token", "_esd", "access_token", "sessid"] {
            for place in ["data[a]", "data[FILES][7][urlShow]", "data[a][0]"] {
                assert_hidden(&format!("{place}=https://p/dl%3F{name}%3Dcanary"));
                assert_hidden(&format!(
                    "{place}=%FF/dl%3Fid%3D1%26{name}%3Dcanary%26x%3Dy"
                ));
                assert_shown(&format!("{place}=https://p/canary%3F{name}%3Ds3"));
            }
        }
        assert_shown("data[a]=https://p/dl%3Fid%3Dcanary%26author%3Dx");
        let value = tree::read(b"data=/dl%3Fauth%3Dcanary").unwrap().unwrap();
        assert_eq!(
            serde_json::to_value(value.expose()).unwrap(),
            "/dl?auth=canary"
        );
    }

    fn assert_hidden(form: &str) {
        for shown in shown(form) {
            assert!(!shown.contains("canary"), "{form}: {shown}");
        }
    }

    fn assert_shown(form: &str) {
        for shown in shown(form) {
            assert!(shown.contains("canary"), "{form}: {shown}");
        }
    }

    fn shown(form: &str) -> [String; 2] {
        let value = tree_of(form.as_bytes());
        [format!("{value:?}"), serde_json::to_string(&value).unwrap()]
    }
}
