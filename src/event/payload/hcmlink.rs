//! Payloads of the scope `humanresources.hcmlink`.

use serde::{Deserialize, Serialize};

use crate::form::field::List;

/// A job for the HR system that a company is linked to. Documentation page: *e-Signature
/// Integration with HR Systems* (`api-reference/sign/hcm-link/index.md`), which names `jobId` and
/// `company`. The key of the date is that of the platform's source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HcmLinkJob {
    /// The job's id (`jobId`), for the method `humanresources.hcmlink.job.update`.
    pub job_id: u64,
    /// The code of the company in HCM Link (`company`).
    pub company: Option<String>,
    /// The time of the job (`date`), in ISO 8601.
    pub date: Option<String>,
}

/// A job for the HR system: send the values of fields for a document.
/// Documentation page: *e-Signature Integration with HR Systems*
/// (`api-reference/sign/hcm-link/index.md`), which names `jobId` and describes the rest. The
/// other keys are those of the platform's source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HcmLinkFieldValues {
    /// The job's id (`jobId`), for the methods `humanresources.hcmlink.field.value.set` and
    /// `humanresources.hcmlink.job.update`.
    pub job_id: u64,
    /// The code of the company in HCM Link (`company`).
    pub company: Option<String>,
    /// The codes of the employees (`employees`) in the HR system.
    #[serde(default)]
    pub employees: List<String>,
    /// The codes of the fields (`fields`) in the HR system.
    #[serde(default)]
    pub fields: List<String>,
    /// The time of the job (`date`), in ISO 8601.
    pub date: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;

    #[test]
    fn hcmlink_job_is_typed_with_and_without_undocumented_fields() {
        let form = "event=ONHUMANRESOURCESHCMLINKPINREQUESTED&data[jobId]=101";
        let job: HcmLinkJob = samples::data(form).data().unwrap();
        assert_eq!((job.job_id, job.company, job.date), (101, None, None));

        let form = "event=ONHUMANRESOURCESHCMLINKEMPLOYEELISTREQUESTED&data[jobId]=101\
                    &data[company]=acme-hr&data[date]=2026-03-11T17%3A28%3A46%2B03%3A00";
        let job: HcmLinkJob = samples::data(form).data().unwrap();
        assert_eq!(job.company.as_deref(), Some("acme-hr"));
        assert_eq!(job.date.as_deref(), Some("2026-03-11T17:28:46+03:00"));
    }

    #[test]
    fn hcmlink_value_job_has_its_employees_and_fields() {
        let form = "event=ONHUMANRESOURCESHCMLINKFIELDVALUEREQUESTED&data[jobId]=102\
                    &data[company]=acme-hr&data[employees][0]=e-1&data[employees][2]=e-3\
                    &data[fields][0]=snils&data[date]=2026-03-11T17%3A28%3A46%2B03%3A00";
        let job: HcmLinkFieldValues = samples::data(form).data().unwrap();
        assert_eq!(job.job_id, 102);
        assert_eq!(*job.employees, ["e-1", "e-3"]);
        assert_eq!(*job.fields, ["snils"]);

        let form = "event=ONHUMANRESOURCESHCMLINKFIELDVALUEREQUESTED&data[jobId]=102";
        let job: HcmLinkFieldValues = samples::data(form).data().unwrap();
        assert!(job.employees.is_empty() && job.fields.is_empty());
    }

    #[test]
    fn hcmlink_job_without_an_id_is_a_mismatch() {
        let form = "event=ONHUMANRESOURCESHCMLINKPINREQUESTED&data[company]=acme-hr";
        let mismatch = samples::data(form).data::<HcmLinkJob>().unwrap_err();
        assert_eq!(mismatch.to_string(), "data: missing field `jobId`");
    }
}
