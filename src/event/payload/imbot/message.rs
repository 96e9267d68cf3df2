//! The files, attachments and parameters of a message.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};

use crate::form::Value;
use crate::form::field::{ById, Flag, IdMap, List, OneOrMany, TextOr, lenient};
use crate::macros::open_enum;
use crate::secret::Secret;

/// A file of a message to a bot (`FILES`).
///
/// The links are secrets: they can contain a token, with which anyone can open the file. The
/// attributes of the portal's own viewer (`viewerAttrs`, `mediaUrl`) are in
/// [`Event::data`](crate::Event::data) only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImBotFile {
    /// The file's id on the portal's drive.
    #[serde(default, deserialize_with = "lenient")]
    pub id: Option<u64>,
    /// The id of the chat with the file.
    #[serde(default, deserialize_with = "lenient")]
    pub chat_id: Option<u64>,
    /// The time of creation, in ISO 8601.
    #[serde(default, deserialize_with = "lenient")]
    pub date: Option<String>,
    /// The kind of file (`type`).
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    pub kind: Option<ImFileType>,
    /// The file's name, such as `report.xlsx`.
    #[serde(default, deserialize_with = "lenient")]
    pub name: Option<String>,
    /// The extension of the name in lower case, such as `xlsx`.
    #[serde(default, deserialize_with = "lenient")]
    pub extension: Option<String>,
    /// The size in bytes.
    #[serde(default, deserialize_with = "lenient")]
    pub size: Option<u64>,
    /// The picture's `width` and `height` in pixels, or `0` if the file is not a picture.
    pub image: Option<Value>,
    /// The progress of the upload: `upload` or `done`.
    #[serde(default, deserialize_with = "lenient")]
    pub status: Option<String>,
    /// The progress of the upload, in percent. `None` before the start.
    #[serde(default, deserialize_with = "lenient")]
    pub progress: Option<u64>,
    /// The id of the user who sent the file.
    #[serde(default, deserialize_with = "lenient")]
    pub author_id: Option<u64>,
    /// The full name of that user.
    #[serde(default, deserialize_with = "lenient")]
    pub author_name: Option<String>,
    /// The address of a preview, or empty.
    #[serde(default, deserialize_with = "lenient")]
    pub url_preview: Option<Secret>,
    /// The address that shows the file.
    #[serde(default, deserialize_with = "lenient")]
    pub url_show: Option<Secret>,
    /// The address that downloads the file.
    #[serde(default, deserialize_with = "lenient")]
    pub url_download: Option<Secret>,
    /// Yes if the platform can transcribe the file.
    #[serde(default, deserialize_with = "lenient")]
    pub is_transcribable: Option<Flag>,
    /// Yes if the file is a video message.
    #[serde(default, deserialize_with = "lenient")]
    pub is_video_note: Option<Flag>,
    /// Yes if the file is a voice message.
    #[serde(default, deserialize_with = "lenient")]
    pub is_voice_note: Option<Flag>,
}

open_enum! {
    /// A kind of file in a message.
    ImFileType {
        /// A picture.
        Image = "image",
        /// A video.
        Video = "video",
        /// A sound.
        Audio = "audio",
        /// Any other file.
        File = "file",
    }
}

/// An attachment of a message: a rich block below the text (`URL_ATTACH` and `ATTACH`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", from = "Value")]
#[non_exhaustive]
pub struct ImAttach {
    /// The attachment's id, chosen by the sender.
    pub id: Option<String>,
    /// The color of its edge, such as `#29619b`.
    pub color: Option<String>,
    /// The text for places that do not show attachments.
    pub description: Option<String>,
    /// The blocks. Each is an object with its kind as the key, such as `MESSAGE`, `LINK`, `IMAGE`,
    /// `FILE` or `GRID`.
    pub blocks: Vec<Value>,
}

impl From<Value> for ImAttach {
    fn from(value: Value) -> Self {
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            id: text("ID"),
            color: text("COLOR"),
            description: text("DESCRIPTION"),
            blocks: value.get("BLOCKS").map(arrays).unwrap_or_default(),
        }
    }
}

/// The parameters of a message (`PARAMS`), in any shape.
///
/// It dereferences to the [`Value`] that was sent, and has methods for the most common parameters.
///
/// ```
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event, event::kind};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=99\
///             &data[PARAMS][PARAMS][FILE_ID][0]=1201&data[PARAMS][PARAMS][REPLY_ID]=88\
///             &data[PARAMS][PARAMS][IS_EDITED]=N&auth[application_token]=192735";
/// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
/// let message = event.payload_of::<kind::ImBotMessageAdd>().expect("a message");
/// let params = message.params.params.as_ref().expect("the message has parameters");
/// assert_eq!(params.file_ids(), [1201]);
/// assert_eq!(params.reply_id(), Some(88));
/// assert_eq!(params["IS_EDITED"].as_str(), Some("N"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct ImMessageParams(Value);

impl ImMessageParams {
    /// Returns the ids of the message's files on the portal's drive (`FILE_ID`).
    pub fn file_ids(&self) -> Vec<u64> {
        let number = |value: &Value| value.as_str()?.parse().ok();
        match self.get("FILE_ID") {
            Some(Value::Array(ids)) => ids.values().filter_map(number).collect(),
            id => id.and_then(number).into_iter().collect(),
        }
    }

    /// Returns the id of the message that this one replies to (`REPLY_ID`).
    pub fn reply_id(&self) -> Option<u64> {
        self.get("REPLY_ID")?.as_str()?.parse().ok()
    }

    /// Returns the attachments (`ATTACH`).
    pub fn attachments(&self) -> Vec<ImAttach> {
        let attachments = self.get("ATTACH").map(arrays).unwrap_or_default();
        attachments.into_iter().map(ImAttach::from).collect()
    }
}

impl Deref for ImMessageParams {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

fn arrays(value: &Value) -> Vec<Value> {
    let Value::Array(array) = value else {
        return Vec::new();
    };
    let is_index = |(key, _): (&str, _)| key.parse::<i64>().is_ok();
    if !array.iter().any(is_index) {
        return vec![value.clone()];
    }
    let values = array.values().filter(|value| value.as_array().is_some());
    values.cloned().collect()
}

pub(super) fn attachments<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<List<ImAttach>, D::Error> {
    let values = OneOrMany::<Value>::deserialize(deserializer)?.into_iter();
    let attachments = values.filter(|value| value.as_array().is_some());
    Ok(attachments.map(ImAttach::from).collect::<Vec<_>>().into())
}

/// The platform sends files by id, or only a list of the ids.
pub(super) fn files<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IdMap<ImBotFile>, D::Error> {
    let ById(entries) = ById::<ImBotFile>::deserialize(deserializer)?;
    let files = entries.into_iter().filter_map(|(key, value)| match value {
        TextOr::Object(file) => Some((file.id.unwrap_or(key), file)),
        TextOr::Text(id) => {
            let id = id.parse().ok()?;
            let file = ImBotFile {
                id: Some(id),
                ..ImBotFile::default()
            };
            Some((id, file))
        }
    });
    Ok(files.collect())
}

#[cfg(test)]
mod tests {
    use super::super::ImBotMessageAdd;
    use super::*;
    use crate::event::payload::samples::parse;

    fn message(pairs: &str) -> ImBotMessageAdd {
        let pairs = pairs.replace('&', "&data[PARAMS]");
        let body = format!("event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=99{pairs}");
        parse(body).unwrap_or_else(|mismatch| panic!("{pairs}: {mismatch}"))
    }

    #[test]
    fn imbot_file_is_found_by_its_id() {
        let message = message(
            "&[FILES][1201][id]=1201&[FILES][1201][type]=image&[FILES][1201][name]=a.jpg\
             &[FILES][1201][size]=10240&[FILES][1201][image][width]=640\
             &[FILES][1201][progress]=-1&[FILES][1201][urlDownload]=https%3A%2F%2Fp%2Fdl\
             &[FILES][1201][isVoiceNote]=0&[FILES][1201][viewerAttrs][src]=x",
        );
        let file = message.params.files.get(1201).unwrap();
        assert_eq!((file.id, file.size), (Some(1201), Some(10_240)));
        assert_eq!(file.kind, Some(ImFileType::Image));
        assert_eq!(file.name.as_deref(), Some("a.jpg"));
        assert_eq!(file.image.as_ref().unwrap()["width"].as_str(), Some("640"));
        assert_eq!(file.progress, None);
        assert_eq!(file.url_download, Some(Secret::new("https://p/dl")));
        assert_eq!(file.is_voice_note, Some(false.into()));
    }

    #[test]
    fn imbot_files_have_their_own_ids_or_those_of_their_keys() {
        for (pairs, ids) in [
            ("&[FILES][0]=1201&[FILES][1]=1202", vec![1201, 1202]),
            ("&[FILES][0][id]=1201&[FILES][1][id]=1202", vec![1201, 1202]),
            ("&[FILES][1201][name]=a", vec![1201]),
            ("&[FILES][1201][id][x]=y", vec![1201]),
        ] {
            let files = message(pairs).params.files;
            assert!(files.iter().map(|(id, _)| id).eq(ids), "{pairs}");
        }
    }

    #[test]
    fn imbot_message_parameters_are_kept_as_sent() {
        let message = message(
            "&[PARAMS][FILE_ID][0]=1201&[PARAMS][REPLY_ID]=88&[PARAMS][ATTACH][0][ID]=1\
             &[PARAMS][ATTACH][0][BLOCKS][0][MESSAGE]=y&[EXTRA_PARAMS][CONTEXT][A]=1\
             &[URL_ATTACH][0][ID]=2&[URL_ATTACH][0][COLOR]=#fff\
             &[URL_ATTACH][0][BLOCKS][0][LINK][0][NAME]=n",
        );
        let params = message.params.params.unwrap();
        assert_eq!(serde_json::to_value(&params).unwrap()["REPLY_ID"], "88");
        assert_eq!(
            (params.file_ids(), params.reply_id()),
            (vec![1201], Some(88))
        );
        let [attach] = &params.attachments()[..] else {
            panic!("{params:?}")
        };
        assert_eq!(attach.id.as_deref(), Some("1"));
        assert_eq!(attach.blocks[0]["MESSAGE"].as_str(), Some("y"));

        let extra = message.params.extra_params.unwrap();
        assert_eq!(extra["CONTEXT"]["A"].as_str(), Some("1"));
        let [attach] = &message.params.url_attach[..] else {
            panic!("{:?}", message.params.url_attach)
        };
        assert_eq!(attach.color.as_deref(), Some("#fff"));
        assert_eq!(attach.blocks[0]["LINK"]["0"]["NAME"].as_str(), Some("n"));
    }

    #[test]
    fn unexpected_files_parameters_and_attachments_lose_no_imbot_message() {
        let keys = ["FILES", "PARAMS", "EXTRA_PARAMS", "URL_ATTACH"];
        let shapes = [
            "=",
            "=0",
            "=x",
            "[0]=x",
            "[x]=y",
            "[x][y]=z",
            "[7]=",
            "[7][id][x]=1",
            "[0][0][0]=a",
            "[7][name][x]=1",
            "[BLOCKS]=x",
            "[0][BLOCKS][x]=y",
            "[FILE_ID]=x",
            "[FILE_ID][x][y]=1",
            "[ATTACH]=1",
            "[ATTACH][ID]=1",
            "[REPLY_ID][x]=1",
            "=%FF",
            "[7][name]=%FF",
            "[]=x",
            "[%FF]=x",
        ];
        for key in keys {
            for shape in shapes {
                let pairs = format!("&[{key}]{shape}");
                let message = message(&pairs);
                assert_eq!(message.params.message_id, 99, "{pairs}");
                if let Some(params) = message.params.params {
                    let _ = (params.file_ids(), params.reply_id(), params.attachments());
                }
            }
        }
    }

    #[test]
    fn imbot_file_links_are_redacted() {
        let links = ["urlPreview", "urlShow", "urlDownload"]
            .map(|key| format!("&[FILES][7][{key}]=https://p/x?_esd=s3cret"));
        let message = message(&links.concat());
        let json = serde_json::to_string(&message).unwrap();
        for shown in [format!("{message:?}"), json] {
            assert!(!shown.contains("s3cret"), "{shown}");
            assert_eq!(shown.matches("[redacted]").count(), 3, "{shown}");
        }
    }
}
