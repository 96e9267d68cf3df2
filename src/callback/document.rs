//! `Document`: the document that a workflow runs on.

use serde::Serialize;

use super::fields::{Fields, missing};
use crate::form::{Mismatch, Value};

/// The document that a workflow runs on, such as a deal or an element of a list.
///
/// Bitrix24 puts the type before the id of most documents, with an underscore. Types hold underscores
/// and digits of their own, so the id is what follows `document_type`:
///
/// | document | `document_type` | `raw` | `id` |
/// |---|---|---|---|
/// | a deal | `DEAL` | `DEAL_18` | `18` |
/// | an item of a smart process | `DYNAMIC_1036` | `DYNAMIC_1036_24` | `24` |
/// | an element of a list | `iblock_47` | `1839689` | `1839689` |
/// | an item of RPA | `T1` | `1:5` | `1:5` |
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// The module, such as `crm` or `lists`.
    pub module: String,
    /// The class of the document, such as `CCrmDocumentDeal`.
    pub entity: String,
    /// The type of the document, such as `DEAL`. Empty if none was sent.
    pub document_type: String,
    /// The id without its type.
    pub id: String,
    /// The id as it was sent, such as `DEAL_18`.
    pub raw: String,
}

impl Document {
    /// Reads `document_id` and `document_type`.
    pub(super) fn read(form: &Value) -> Result<Self, Mismatch> {
        let id = form
            .get("document_id")
            .ok_or_else(|| missing("document_id"))?;
        let part = |key: &str| {
            let text = Fields(id).text(key);
            text.ok_or_else(|| missing(&format!("document_id.{key}")))
        };
        let document_type = form
            .get("document_type")
            .and_then(|of| Fields(of).text("2"));
        let document_type = document_type.unwrap_or_default();
        let raw = part("2")?;
        Ok(Self {
            module: part("0")?,
            entity: part("1")?,
            id: without_type(&raw, &document_type).to_owned(),
            document_type,
            raw,
        })
    }
}

fn without_type<'a>(raw: &'a str, document_type: &str) -> &'a str {
    let id = raw.strip_prefix(document_type);
    let id = id.filter(|_| !document_type.is_empty());
    id.and_then(|id| id.strip_prefix('_')).unwrap_or(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_what_follows_the_type_and_an_underscore() {
        for (raw, document_type, id) in [
            ("DEAL_18", "DEAL", "18"),
            ("DYNAMIC_1036_24", "DYNAMIC_1036", "24"),
            ("SMART_B2E_DOC_5", "SMART_B2E_DOC", "5"),
            ("1839689", "iblock_47", "1839689"),
            ("1:5", "T1", "1:5"),
            ("DEAL18", "DEAL", "DEAL18"),
            ("_18", "", "_18"),
        ] {
            assert_eq!(without_type(raw, document_type), id, "{raw}");
        }
    }
}
