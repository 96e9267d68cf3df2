//! Payloads of the scope `sign`.

use serde::{Deserialize, Serialize};

/// The status of a document of e-Signature for HR changed. Documentation page:
/// *OnSignB2eDocumentStatusChanged*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignDocumentStatus {
    /// The document's id (`documentUid`), such as `R-LK-50JI-3AAK-WS1A`.
    pub document_uid: String,
    /// The company's id (`companyUid`). Only sent if the document is signed with the company that the
    /// integration was made for.
    pub company_uid: Option<String>,
    /// The code of the status (`statusCode`), such as `signing`. The documentation does not list the
    /// codes.
    pub status_code: Option<String>,
    /// The status in words (`statusName`), in the portal's language.
    pub status_name: Option<String>,
}

/// The status of a signer of a document of e-Signature for HR changed. Documentation page:
/// *OnSignB2eMemberStatusChanged*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SignMemberStatus {
    /// The signer's id (`memberUid`), such as `2ditmm6vjoolzbygaeua2jltkjb9hgks`.
    pub member_uid: String,
    /// The document's id (`documentUid`), such as `R-LK-50JI-3AAK-WS1A`.
    pub document_uid: Option<String>,
    /// The company's id (`companyUid`). Only sent if the document is signed with the company that the
    /// integration was made for.
    pub company_uid: Option<String>,
    /// The code of the status (`statusCode`), such as `done`. The documentation does not list the codes.
    pub status_code: Option<String>,
    /// The status in words (`statusName`), in the portal's language.
    pub status_name: Option<String>,
}

/// A document connected with an HR system was signed. Documentation page:
/// *OnSignHcmLinkB2eDocumentSigned*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct SignHcmLinkDocument {
    /// The signer's id (`id`), for the method `sign.b2e.hcmlink.document.get`.
    pub id: u64,
    /// The code of the company in HCM Link (`company`).
    pub company: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn signing_samples_are_typed() {
        let codes = ["ONSIGNB2EDOCUMENTSTATUSCHANGED"];
        let documents = samples::read(&codes, FormReader::data::<SignDocumentStatus>);
        assert_eq!(documents[0].document_uid, "R-LK-50JI-3AAK-WS1A");
        assert_eq!(documents[0].company_uid, None);
        assert_eq!(documents[0].status_code.as_deref(), Some("signing"));

        let codes = ["ONSIGNB2EMEMBERSTATUSCHANGED"];
        let members = samples::read(&codes, FormReader::data::<SignMemberStatus>);
        assert_eq!(members[0].member_uid, "2ditmm6vjoolzbygaeua2jltkjb9hgks");
        assert_eq!(members[0].status_name.as_deref(), Some("Signed"));

        let codes = ["ONSIGNHCMLINKB2EDOCUMENTSIGNED"];
        let signed = samples::read(&codes, FormReader::data::<SignHcmLinkDocument>);
        assert_eq!(signed[0].id, 3942);
        assert_eq!(signed[0].company.as_deref(), Some("acme-hr"));
    }

    #[test]
    fn hr_system_of_a_signed_document_is_typed() {
        let form =
            "event=ONSIGNB2EDOCUMENTSTATUSCHANGED&data[documentUid]=R-1&data[companyUid]=c-7";
        let document: SignDocumentStatus = samples::data(form).data().unwrap();
        assert_eq!(document.company_uid.as_deref(), Some("c-7"));
        assert_eq!(document.status_code, None);
    }
}
