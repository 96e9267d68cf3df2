//! The one list of keys that name secrets; every redaction uses it.

/// Returns `true` if nothing under this key may be shown: a token, a password, a key, a session's id,
/// a cookie, a signature or another secret, or the string under `auth`, in any spelling.
pub(crate) fn is_secret(key: &str) -> bool {
    is_secret_key(key) || names_auth(key)
}

/// Returns `true` if nothing under this key may be shown. `authId`, `AUTH_ID`, `auth-id` and
/// `auth.id` are one key.
pub(crate) fn is_secret_key(key: &str) -> bool {
    const PARTS: [&str; 15] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "accesskey",
        "privatekey",
        "authorization",
        "credential",
        "sessid",
        "appsid",
        "cookie",
        "jwt",
        "signature",
    ];

    names(key).any(|name| {
        // Short words must match the whole name: `compass` is not a secret.
        matches!(&*name, "authid" | "refreshid" | "pass" | "pwd")
            || PARTS.iter().any(|part| name.contains(part))
    })
}

/// Returns `true` if a string under this key is an access token: REST calls the parameter `auth`.
pub(crate) fn names_auth(key: &str) -> bool {
    names(key).any(|name| name == "auth")
}

/// The names in a key, in lower case and without what may separate their words: more than one if it
/// holds the brackets that are below the depth limit of the tree.
fn names(key: &str) -> impl Iterator<Item = String> {
    key.split(['[', ']']).map(|name| {
        let letters = name.chars().filter(|letter| letter.is_alphanumeric());
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    })
}
