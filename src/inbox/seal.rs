//! Sealing: entries are encrypted and authenticated, so that a store holds no secret and what opens
//! was verified by this application.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use chacha20poly1305::aead::{Generate, KeyInit};
use chacha20poly1305::{AeadInOut, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::entry::{CALLBACK_FORMAT, Entry, FORMAT, Identity};
use crate::callback::Proof;
use crate::envelope::EnvelopeError;
use crate::error::ConfigError;
use crate::event::dedup_key::hash;

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

// The proof of a callback, in a sealed body.
const URL_SECRET: u8 = 0;
const APPLICATION_TOKEN: u8 = 1;

/// A secret key of 32 bytes that seals the entries of an [`Inbox`](super::Inbox)
/// (XChaCha20-Poly1305).
///
/// A sealed entry is bound to its portal, code and key: forged, moved and truncated entries do not
/// open. Whoever has the key can read the tokens in the entries and forge events. Keep it apart from
/// the database. The memory of a dropped key is overwritten.
///
/// ```
/// use tower_bitrix24::inbox::InboxKey;
///
/// let hex = InboxKey::generate().to_hex();
/// assert!(InboxKey::from_hex(&hex).is_ok());
/// assert!(InboxKey::from_hex("guess").is_err());
/// assert_eq!(format!("{:?}", InboxKey::generate()), "InboxKey([redacted])");
/// ```
#[derive(Clone)]
pub struct InboxKey(Zeroizing<[u8; 32]>);

impl InboxKey {
    /// Creates a key from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Creates a key from 64 hexadecimal digits, for example of an environment variable.
    ///
    /// # Errors
    ///
    /// Returns an error if there are not exactly 64 hexadecimal digits. It does not contain them.
    pub fn from_hex(hex: &str) -> Result<Self, ConfigError> {
        let invalid = || ConfigError::new("an inbox key has 64 hexadecimal digits");
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return Err(invalid());
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            let (Some(high), Some(low)) = (digit(0), digit(1)) else {
                return Err(invalid());
            };
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }

    /// Creates a key from the system's random number generator.
    ///
    /// # Panics
    ///
    /// Panics if the system has no random numbers.
    pub fn generate() -> Self {
        Self::new(Generate::generate())
    }

    /// Returns the key as 64 hexadecimal digits. **They are the secret**: keep them out of logs.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A hash, so that it reveals nothing of the key.
    fn id(&self) -> i64 {
        let hash = hash("key id", &[&self.0[..]]);
        i64::from_be_bytes(std::array::from_fn(|at| hash[at]))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for InboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxKey([redacted])")
    }
}

/// The keys of an inbox: each opens, and the first seals unless nothing is sealed.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    /// Each with its id, which is a hash.
    keys: Vec<(i64, InboxKey)>,
    seals: bool,
}

/// The error of an entry that does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// None of the keys has sealed it.
    UnknownKey,
    /// A later version has stored it.
    UnknownFormat,
    /// It was changed, moved or truncated.
    Forged,
    /// Its body is gone.
    NoBody,
    /// It opens, but holds no request that this version reads.
    Unreadable(EnvelopeError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable(error) => return error.fmt(f),
            Self::UnknownFormat => {
                "a later version has stored the entry: let a worker of that version handle it"
            }
            Self::UnknownKey => "none of the inbox keys has sealed the entry: add the key that did",
            Self::Forged => "the entry does not open: it was changed, moved or truncated",
            Self::NoBody => "the body of the entry was removed",
        })
    }
}

impl Error for OpenError {}

/// The contents of a sealed body.
pub(super) struct Contents {
    /// The path and query of the request, which may hold a secret of the application's own.
    pub(super) target: String,
    /// `None` if this is an event.
    pub(super) proof: Option<Proof>,
    pub(super) body: Bytes,
}

impl Keyring {
    pub(super) fn new(first: InboxKey) -> Self {
        Self {
            keys: vec![(first.id(), first)],
            seals: true,
        }
    }

    pub(super) fn push(&mut self, key: InboxKey) {
        self.keys.push((key.id(), key));
    }

    pub(super) const fn insecure_unsealed() -> Self {
        Self {
            keys: Vec::new(),
            seals: false,
        }
    }

    pub(super) fn seal(&self, identity: Identity, target: &str, body: &[u8]) -> Entry {
        let Some((key_id, key)) = self.keys.first().filter(|_| self.seals) else {
            let contents = contents(target, identity.proof, body, 0);
            return identity.with_body(None, contents.into());
        };
        let mut sealed = contents(target, identity.proof, body, TAG_LEN + NONCE_LEN);
        // 24 random bytes never repeat in practice, without any state.
        let nonce = XNonce::generate();
        let associated_data = identity.associated_data();
        let cipher = key.cipher();
        cipher
            .encrypt_in_place(&nonce, &associated_data, &mut sealed)
            .expect("a body of less than 256 GiB can be sealed");
        sealed.extend_from_slice(&nonce);
        identity.with_body(Some(*key_id), sealed.into())
    }

    pub(super) fn open(&self, entry: &Entry) -> Result<Contents, OpenError> {
        if entry.body.is_empty() {
            return Err(OpenError::NoBody);
        }
        if entry.format > FORMAT {
            return Err(OpenError::UnknownFormat);
        }
        let mut opened = entry.body.to_vec();
        if !self.seals && entry.key_id.is_none() {
            return read_contents(entry.format, opened.into()).ok_or(OpenError::Forged);
        }
        let mut keys = self.keys.iter();
        let key = keys.find(|(id, _)| Some(*id) == entry.key_id);
        let (_, key) = key.ok_or(OpenError::UnknownKey)?;
        let nonce_start = opened.len().checked_sub(NONCE_LEN);
        let nonce = opened.split_off(nonce_start.ok_or(OpenError::Forged)?);
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| OpenError::Forged)?;
        key.cipher()
            .decrypt_in_place(&nonce.into(), &entry.associated_data(), &mut opened)
            .map_err(|_| OpenError::Forged)?;
        read_contents(entry.format, opened.into()).ok_or(OpenError::Forged)
    }
}

/// Returns the contents, with room for more bytes behind them.
fn contents(target: &str, proof: Option<Proof>, body: &[u8], room: usize) -> Vec<u8> {
    // A longer target does not occur: servers bound the head of a request far below.
    let target = &target[..target.len().min(u32::MAX as usize)];
    // Exactly, so that they become `Bytes` without another allocation.
    let len = 4 + target.len() + usize::from(proof.is_some()) + body.len();
    let mut contents = Vec::with_capacity(len + room);
    contents.extend_from_slice(&(target.len() as u32).to_be_bytes());
    contents.extend_from_slice(target.as_bytes());
    if let Some(proof) = proof {
        contents.push(match proof {
            Proof::UrlSecret => URL_SECRET,
            // No kind that is stored is introspected, and the weaker proof grants nothing.
            Proof::ApplicationToken | Proof::Introspected { .. } => APPLICATION_TOKEN,
        });
    }
    contents.extend_from_slice(body);
    contents
}

fn read_contents(format: i64, contents: Bytes) -> Option<Contents> {
    let len = contents.get(..4)?.try_into().ok()?;
    let end = 4 + u32::from_be_bytes(len) as usize;
    let target = std::str::from_utf8(contents.get(4..end)?).ok()?.to_owned();
    if format < CALLBACK_FORMAT {
        return Some(Contents {
            target,
            proof: None,
            body: contents.slice(end..),
        });
    }
    let proof = match *contents.get(end)? {
        URL_SECRET => Proof::UrlSecret,
        APPLICATION_TOKEN => Proof::ApplicationToken,
        _ => return None,
    };
    Some(Contents {
        target,
        proof: Some(proof),
        body: contents.slice(end + 1..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Callback;
    use crate::envelope::Envelope;
    use crate::event::Event;

    const BODY: &str = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[member_id]=a\
                        &auth[application_token]=canary";

    fn seal(keys: &Keyring) -> Entry {
        let event = Event::from_verified(Envelope::scan(BODY).unwrap());
        keys.seal(
            Identity::of(&event, false),
            "/events?secret=canary",
            BODY.as_bytes(),
        )
    }

    fn keys(byte: u8) -> Keyring {
        Keyring::new(InboxKey::new([byte; 32]))
    }

    #[test]
    fn sealed_entry_opens_with_its_key_alone_and_shows_no_secret() {
        let entry = seal(&keys(1));
        assert!(!entry.body.windows(6).any(|window| window == b"canary"));
        let contents = keys(1).open(&entry).unwrap();
        assert_eq!(contents.target, "/events?secret=canary");
        assert_eq!(contents.body, BODY);
        assert_eq!(keys(2).open(&entry).err(), Some(OpenError::UnknownKey));
        let mut both = keys(2);
        both.push(InboxKey::new([1; 32]));
        assert!(both.open(&entry).is_ok());
    }

    #[test]
    fn the_same_event_is_sealed_differently_each_time() {
        assert_ne!(seal(&keys(1)).body, seal(&keys(1)).body);
    }

    #[test]
    fn changed_moved_and_truncated_entries_do_not_open() {
        let keys = keys(1);
        let entry = seal(&keys);
        let changes: [&dyn Fn(&mut Entry); 7] = [
            &|entry| entry.member_id = "b".to_owned(),
            &|entry| entry.code = "ONCRMDEALDELETE".to_owned(),
            &|entry| entry.key = crate::event::DedupKey::from_bytes([0; 32]),
            &|entry| entry.format = 2,
            &|entry| entry.body.truncate(entry.body.len() - 1),
            &|entry| entry.body.truncate(10),
            &|entry| {
                let mut body = entry.body.to_vec();
                body[0] ^= 1;
                entry.body = body.into();
            },
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut entry = entry.clone();
            change(&mut entry);
            assert_eq!(keys.open(&entry).err(), Some(OpenError::Forged), "{at}");
        }
    }

    #[test]
    fn unsealed_entry_opens_only_if_the_inbox_is_unsealed() {
        let unsealed = Keyring::insecure_unsealed();
        let entry = seal(&unsealed);
        assert_eq!(unsealed.open(&entry).unwrap().body, BODY);
        assert_eq!(keys(1).open(&entry).err(), Some(OpenError::UnknownKey));
        assert!(unsealed.open(&seal(&keys(1))).is_err());
    }

    #[test]
    fn old_key_of_an_unsealed_inbox_opens_and_does_not_seal() {
        let mut unsealed = Keyring::insecure_unsealed();
        unsealed.push(InboxKey::new([1; 32]));
        assert!(unsealed.open(&seal(&keys(1))).is_ok());
        let entry = seal(&unsealed);
        assert_eq!(entry.key_id, None);
        assert!(unsealed.open(&entry).is_ok());
    }

    /// Sealed by the version before callbacks.
    #[test]
    fn entry_of_the_first_format_still_opens() {
        const SEALED: &str = "7cca3d29bcf7ac12ced0ff0383c44d1732773ccd84d7b7f42c0ba76d3acd4847\
             9c21f2e1a04e7a0fc2e51224e4730dc7d403b2b3f1710258b6e0e268ad2da9c4\
             da865c02446521289ba3d499a27f5da6ace00c946e74ea655cadb8211e0c5874\
             7036c76855e780ab5b765fb79b2d13da2a1de143a1732cf1bfc77f6e178485db\
             58386ef36f6a77f7a7f10e5acf034e0651aed5552db7a175ba067ae2a2";
        let bytes = (0..SEALED.len()).step_by(2);
        let bytes = bytes.map(|at| u8::from_str_radix(&SEALED[at..at + 2], 16).unwrap());
        let body = "event=ONCRMDEALADD&data[FIELDS][ID]=42&ts=9&auth[member_id]=a\
                    &auth[application_token]=canary";
        let event = Event::from_verified(Envelope::scan(body).unwrap());
        let mut entry = keys(1).seal(Identity::of(&event, false), "/", body.as_bytes());
        assert_eq!(entry.format, 1);
        assert_eq!(
            entry.key.to_string(),
            "7f26da441d00dad73c8b1117a68199d4eb7b05a336200c3f79bc0289cb4bb1df"
        );
        entry.body = bytes.collect();
        let contents = keys(1).open(&entry).unwrap();
        assert_eq!(
            (&*contents.target, &*contents.body),
            ("/events?secret=canary", body.as_bytes())
        );
        assert_eq!(contents.proof, None);
    }

    const ROBOT: &str = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
        &document_id[2]=DEAL_18&event_token=canary&auth[member_id]=a&auth[application_token]=canary";

    fn callback(proof: Proof) -> Entry {
        let callback = Callback::reopen(ROBOT.into(), proof).unwrap();
        keys(1).seal(Identity::of_callback(&callback), "/robot", ROBOT.as_bytes())
    }

    #[test]
    fn proof_of_a_callback_is_sealed_with_it() {
        for proof in [Proof::ApplicationToken, Proof::UrlSecret] {
            let entry = callback(proof);
            assert_eq!(entry.format, CALLBACK_FORMAT);
            let contents = keys(1).open(&entry).unwrap();
            assert_eq!(
                (contents.proof, &*contents.body),
                (Some(proof), ROBOT.as_bytes())
            );
            assert_eq!(contents.target, "/robot");
        }
    }

    #[test]
    fn format_decides_nothing_that_is_not_sealed() {
        let mut event = seal(&keys(1));
        event.format = CALLBACK_FORMAT;
        assert_eq!(keys(1).open(&event).err(), Some(OpenError::Forged));
        let mut robot = callback(Proof::ApplicationToken);
        robot.format = 1;
        assert_eq!(keys(1).open(&robot).err(), Some(OpenError::Forged));
        robot.format = FORMAT + 1;
        assert_eq!(keys(1).open(&robot).err(), Some(OpenError::UnknownFormat));
    }
}
