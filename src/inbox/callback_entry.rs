//! The identity of a stored callback: its key, its lane, and what an operator reads of it.

use chacha20poly1305::aead::Generate;

use super::entry::{
    CALLBACK_FORMAT, Identity, MAX_CODE_LEN, MAX_SUBJECT_LEN, clean, clean_member_id,
};
use crate::callback::{Callback, CallbackKind, CallbackPayload, Proof};
use crate::event::DedupKey;
use crate::event::dedup_key::hash;
use crate::form::key::LooseKey;
use crate::form::pairs::pairs;

impl Identity {
    /// The identity of a callback.
    ///
    /// | callback | key | lane |
    /// |---|---|---|
    /// | robot, activity | all of the form but `auth`; `event_token` is of this step alone | the document |
    /// | message | provider, recipient and `message_id`, which a portal repeats if it sends a message again | provider and recipient |
    /// | message of `bizproc.provider.add` | all of the form but `auth` | provider and recipient |
    /// | any other | random: two true ones may be equal, as those of a Webhook robot are | none |
    ///
    /// Each also has the portal and the name of the proof, so that what only a URL's secret proves
    /// neither stops nor precedes what a token proves.
    pub(super) fn of_callback(callback: &Callback) -> Self {
        let proof = callback.proof();
        let member_id = callback.auth().member_id().unwrap_or_default();
        let kind = callback.kind();
        let hashed = |domain: &str, parts: &[&str]| {
            let origin = [proof.as_str(), member_id];
            let parts: Vec<_> = origin
                .iter()
                .chain(parts)
                .map(|part| part.as_bytes())
                .collect();
            hash(domain, &parts)
        };
        let (code, subject, lane, timestamp) = match callback.payload() {
            CallbackPayload::Robot(robot) => {
                let document = &robot.document;
                let parts = [&*document.module, &*document.entity, &*document.raw];
                (
                    format!("{kind}:{}", robot.code),
                    format!("{} {}", document.module, document.raw),
                    Some(hashed("document", &parts)),
                    robot.ts,
                )
            }
            CallbackPayload::Message(message) => (
                format!("{kind}:{}", message.code),
                message.message_id.clone().unwrap_or_default(),
                Some(hashed("recipient", &[&message.code, &message.to])),
                message.ts,
            ),
            _ => {
                let unknown = callback.unknown_kind();
                let name = unknown.map_or(kind.as_str(), |unknown| unknown.as_str());
                (name.to_owned(), String::new(), None, None)
            }
        };
        let key = match (kind, callback.payload()) {
            (_, CallbackPayload::Message(message)) if message.message_id.is_some() => {
                let id = message.message_id.as_deref().unwrap_or_default();
                hashed("message", &[&message.code, &message.to, id])
            }
            (CallbackKind::Robot | CallbackKind::Message, _) => {
                let form = form_without_auth(callback.body());
                let parts = [proof.as_str(), member_id, kind.as_str()].map(str::as_bytes);
                hash("callback", &[&parts[..], &[&form]].concat())
            }
            _ => Generate::generate(),
        };
        Self {
            key: DedupKey::from_bytes(key),
            lane,
            merge: None,
            // Sent again, a message is an entry of its own with the same key once the first was tried.
            once: kind == CallbackKind::Robot,
            // Otherwise whoever knows the URL's secret takes the places of other portals, or invents
            // portals to get more of them.
            member_id: if proof == Proof::UrlSecret {
                String::new()
            } else {
                clean_member_id(member_id)
            },
            code: clean(code, MAX_CODE_LEN),
            subject: clean(subject, MAX_SUBJECT_LEN),
            handler_id: None,
            timestamp,
            format: CALLBACK_FORMAT,
            proof: Some(proof),
        }
    }
}

/// Returns the encoded pairs without those of `auth`, whose tokens change.
fn form_without_auth(body: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(body.len());
    for pair in pairs(body) {
        if LooseKey::split(pair.key).name() != b"auth" {
            form.extend_from_slice(&body[pair.start..pair.end]);
            form.push(b'&');
        }
    }
    form
}
