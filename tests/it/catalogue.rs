//! The table of events compared with the documentation's list, and a form for every event.

use std::fmt::Write;

use crate::common::catalogue::{body, documented};
use crate::common::lossless::assert_typed_equals_tree;
use crate::common::{TOKEN, corpus, verified};
use serde_json::{Value as Json, json};
use tower_bitrix24::event::{Action, ObjectId};
use tower_bitrix24::{EventKind, Payload};

#[test]
fn event_table_equals_the_documentation() {
    let documented = documented();
    assert_eq!(documented.len(), 218);
    assert_eq!(EventKind::ALL.len(), 218);
    for event in documented {
        let kind: EventKind = event
            .code
            .parse()
            .unwrap_or_else(|_| panic!("{}", event.code));
        assert_eq!(kind.as_str(), event.code);
        assert_eq!(kind.documented_name(), event.doc_name);
        assert_eq!(kind.scope(), event.scope, "{}", event.code);
        assert_eq!(kind.is_deprecated(), event.deprecated, "{}", event.code);
    }
}

#[tokio::test]
async fn form_with_every_documented_field_has_a_typed_payload_equal_to_its_data() {
    for documented in documented() {
        let form = body(&documented);
        let event = verified(form.clone()).await;
        assert_eq!(event.mismatch(), None, "{form}");
        assert_ne!(event.payload(), &Payload::Unknown, "{form}");
        assert_typed_equals_tree(&event);
    }
}

#[tokio::test]
async fn every_event_without_a_complete_sample_has_a_form_in_the_test() {
    let sampled: Vec<String> = corpus()
        .iter()
        // These are samples of `data` alone.
        .filter(|sample| !sample.name.ends_with("-data"))
        .map(|sample| sample.tree["event"].as_str().unwrap().to_ascii_uppercase())
        .collect();
    let mut bodies = 0;
    for documented in documented() {
        if !sampled.contains(&documented.code) {
            let event = verified(body(&documented)).await;
            assert_eq!(event.code(), documented.code);
            assert_eq!(event.mismatch(), None);
            bodies += 1;
        }
    }
    assert_eq!(bodies, 53);
}

/// Events that are not about one object, or do not say which.
const WITHOUT_SUBJECT: [&str; 31] = [
    "ONAPPINSTALL",
    "ONAPPMETHODCONFIRM",
    "ONAPPPAYMENT",
    "ONAPPTEST",
    "ONAPPUNINSTALL",
    "ONAPPUPDATE",
    "ONAPPUSERREADY",
    "ONOFFLINEEVENT",
    "ONSUBSCRIPTIONRENEW",
    // An address has no id of its own.
    "ONCRMADDRESSREGISTER",
    "ONCRMADDRESSUNREGISTER",
    // A button was pressed.
    "ONCRMTIMELINEITEMACTION",
    "ONEXTERNALCALLBACKSTART",
    "ONIMBOTCONTEXTGET",
    "ONIMBOTJOINCHAT",
    "ONIMBOTV2COMMANDADD",
    "ONIMBOTV2CONTEXTGET",
    "ONIMBOTV2JOINCHAT",
    "ONIMCOMMANDADD",
    "ONIMV2JOINCHAT",
    // A list of messages or sessions.
    "ONIMCONNECTORDIALOGFINISH",
    "ONIMCONNECTORDIALOGSTART",
    "ONIMCONNECTORMESSAGEADD",
    "ONIMCONNECTORMESSAGEDELETE",
    "ONIMCONNECTORMESSAGEUPDATE",
    "ONIMCONNECTORSTATUSDELETE",
    "ONOPENLINEMESSAGEADD",
    "ONOPENLINEMESSAGEDELETE",
    "ONOPENLINEMESSAGEUPDATE",
    "ONSESSIONFINISH",
    "ONSESSIONSTART",
];

#[tokio::test]
async fn every_event_about_one_object_has_a_subject() {
    for documented in documented() {
        let event = verified(body(&documented)).await;
        let subject = event.subject();
        if WITHOUT_SUBJECT.contains(&event.code()) {
            assert_eq!(subject, None, "{}", event.code());
            continue;
        }
        let subject = subject.unwrap_or_else(|| panic!("{} has no subject", event.code()));
        let id = match event.code() {
            "ONIMCONNECTORLINEDELETE" => ObjectId::Number(107),
            code if code.starts_with("ONCRMCURRENCY") => ObjectId::Text("text"),
            code if code.contains("CALL") => ObjectId::Text("text"),
            code if code.ends_with("STATUSCHANGED") => ObjectId::Text("text"),
            _ => ObjectId::Number(27),
        };
        assert_eq!(subject.id, id, "{}", event.code());
        let action = match event.code() {
            "ONSALEBEFOREORDERDELETE" => Action::Deleting,
            "ONVOXIMPLANTCALLINIT" => Action::Added,
            // A job is given out.
            code if code.starts_with("ONHUMANRESOURCESHCMLINK") => Action::Added,
            // A deal or an invoice was made from a template.
            code if code.ends_with("EXPOSE") => Action::Added,
            code if code.ends_with("SAVED") => Action::Saved,
            code if code.ends_with("START") => Action::Started,
            code if code.ends_with("CALLEND") => Action::Finished,
            code if code.ends_with("ADD") || code.ends_with("CREATE") => Action::Added,
            code if code.ends_with("DELETE") || code.ends_with("DELETED") => Action::Deleted,
            _ => Action::Updated,
        };
        assert_eq!(subject.action, action, "{}", event.code());
    }
}

#[tokio::test]
async fn every_subject_equals_the_listed_one() {
    let mut subjects = String::new();
    for documented in documented() {
        let event = verified(body(&documented)).await;
        if let Some(subject) = event.subject() {
            let (code, entity, action) = (event.code(), subject.entity, subject.action);
            writeln!(subjects, "{code} {entity} {action:?}").unwrap();
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalogue/subjects.txt");
    if std::env::var_os("UPDATE_SUBJECTS").is_some() {
        std::fs::write(path, subjects).unwrap();
    } else {
        let list = std::fs::read_to_string(path).unwrap();
        let hint = "run `UPDATE_SUBJECTS=1 cargo test -p it catalogue` and read what changed";
        for (subject, listed) in subjects.lines().zip(list.lines()) {
            assert_eq!(subject, listed, "{hint}");
        }
        assert_eq!(subjects.lines().count(), list.lines().count(), "{hint}");
    }
}

/// A way to send the same data in another shape: maps the names of a key to other names.
type Reshape = fn(&[&str]) -> Vec<String>;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn behind(first: &str, names: &[&str]) -> Vec<String> {
    let mut owned = owned(names);
    owned.insert(0, first.to_owned());
    owned
}

/// Adds `FIELDS`, or removes it.
fn wrapped(names: &[&str]) -> Vec<String> {
    match names {
        ["FIELDS", names @ ..] => owned(names),
        names => behind("FIELDS", names),
    }
}

/// Puts the data into the list of a call's arguments.
fn first_argument(names: &[&str]) -> Vec<String> {
    behind("0", names)
}

fn first_argument_wrapped(names: &[&str]) -> Vec<String> {
    behind(
        "0",
        &wrapped(names)
            .iter()
            .map(|name| &**name)
            .collect::<Vec<_>>(),
    )
}

/// Changes the first names of the payload's keys. An id has two names at most; deeper ones are not
/// the id of the subject.
fn with_id(names: &[&str], change: impl Fn(&mut Vec<String>)) -> Vec<String> {
    let mut changed = owned(names);
    let depth = names.len() - usize::from(names.first() == Some(&"FIELDS"));
    if depth <= 2
        && names
            .last()
            .is_some_and(|name| name.eq_ignore_ascii_case("ID"))
    {
        change(&mut changed);
    }
    changed
}

fn other_letters(names: &[&str]) -> Vec<String> {
    with_id(names, |names| {
        let id = names.last_mut().unwrap();
        *id = if id == "ID" { "id" } else { "ID" }.to_owned();
    })
}

fn mixed_letters(names: &[&str]) -> Vec<String> {
    with_id(names, |names| *names.last_mut().unwrap() = "Id".to_owned())
}

fn under_its_name_again(names: &[&str]) -> Vec<String> {
    with_id(names, |names| names.push(names.last().unwrap().clone()))
}

fn as_a_list_of_one(names: &[&str]) -> Vec<String> {
    with_id(names, |names| names.push("0".to_owned()))
}

fn reshaped(form: &str, reshape: Reshape) -> String {
    let pairs = form.split('&').map(|pair| {
        let (key, value) = pair.split_once('=').unwrap();
        let Some(names) = key.strip_prefix("data") else {
            return pair.to_owned();
        };
        let names = names.trim_matches(['[', ']']).split("][");
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        let names = reshape(&names).into_iter();
        let names: String = names.map(|name| format!("[{name}]")).collect();
        format!("data{names}={value}")
    });
    pairs.collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn payload_is_read_with_a_wrapper_more_or_less() {
    for documented in documented() {
        let form = body(&documented);
        let expected = verified(form.clone()).await;
        for reshape in [wrapped as Reshape, first_argument, first_argument_wrapped] {
            let form = reshaped(&form, reshape);
            let found = verified(form.clone()).await;
            assert_eq!(found.mismatch(), None, "{form}");
            assert_eq!(found.payload(), expected.payload(), "{form}");
            assert_eq!(found.subject(), expected.subject(), "{form}");
        }
    }
}

#[tokio::test]
async fn id_is_read_in_another_spelling_or_an_array_of_one() {
    let mut changed = 0;
    for documented in documented() {
        let form = body(&documented);
        let expected = verified(form.clone()).await;
        for reshape in [
            other_letters as Reshape,
            mixed_letters,
            under_its_name_again,
            as_a_list_of_one,
        ] {
            let other = reshaped(&form, reshape);
            changed += u32::from(other != form);
            let found = verified(other.clone()).await;
            assert_eq!(found.mismatch(), None, "{other}");
            assert_eq!(found.subject(), expected.subject(), "{other}");
        }
    }
    // Most events have a key that is an id and nothing else.
    assert!(changed > 4 * 150, "{changed}");
}

#[tokio::test]
async fn subject_is_found_in_every_shape_of_the_id() {
    let token = format!("&auth[application_token]={TOKEN}");
    for (data, entity, id, action) in [
        (
            "ONCRMDEALADD&data[FIELDS][ID]=5",
            "crm.deal",
            "5",
            Action::Added,
        ),
        (
            "ONBOOKINGDELETE&data[ID]=5",
            "booking.v1.booking",
            "5",
            Action::Deleted,
        ),
        (
            "ONCALENDARENTRYUPDATE&data[id]=5",
            "calendar.event",
            "5",
            Action::Updated,
        ),
        (
            "ONLIVEFEEDPOSTADD&data[FIELDS][POST_ID]=5",
            "log.blogpost",
            "5",
            Action::Added,
        ),
        (
            "ONIMCONNECTORLINEDELETE&data=5",
            "imopenlines.config",
            "5",
            Action::Deleted,
        ),
        (
            "ONCRMCURRENCYADD&data[FIELDS][ID]=CHE",
            "crm.currency",
            "CHE",
            Action::Added,
        ),
        (
            "ONCRMMEASUREADD&data[FIELDS][ID]=5",
            "crm.measure",
            "5",
            Action::Added,
        ),
        (
            "ONSONETGROUPSUBJECTADD&data[ID]=5",
            "sonet_group.subject",
            "5",
            Action::Added,
        ),
        (
            "ONSONETGROUPSUBJECTADD&data[FIELDS][ID]=5",
            "sonet_group.subject",
            "5",
            Action::Added,
        ),
        (
            "ONTASKDELETE&data[FIELDS_BEFORE][ID]=5&data[FIELDS_AFTER]=undefined",
            "tasks.task",
            "5",
            Action::Deleted,
        ),
        (
            "ONIMBOTV2DELETE&data[bot][id]=5",
            "imbot",
            "5",
            Action::Deleted,
        ),
        (
            "ONVOXIMPLANTCALLEND&data[CALL_ID]=externalCall.x",
            "voximplant.call",
            "externalCall.x",
            Action::Finished,
        ),
    ] {
        let event = verified(format!("event={data}{token}")).await;
        let subject = event
            .subject()
            .unwrap_or_else(|| panic!("{data}: {:?}", event.mismatch()));
        assert_eq!(
            (
                subject.entity,
                subject.id.to_string().as_str(),
                subject.action
            ),
            (entity, id, action)
        );
    }
}

#[tokio::test]
async fn smart_process_item_type_comes_from_the_payload_or_the_code() {
    let token = format!("auth[application_token]={TOKEN}");
    let item = "data[FIELDS][ID]=5&data[FIELDS][ENTITY_TYPE_ID]=147";
    for code in [
        "ONCRMDYNAMICITEMADD",
        "ONCRMDYNAMICITEMADD_147",
        "onCrmDynamicItemAdd_147",
    ] {
        let event = verified(format!("event={code}&{item}&{token}")).await;
        assert_eq!(event.kind(), Some(EventKind::CrmDynamicItemAdd));
        assert_eq!(event.entity_type_id(), Some(147));
        assert_eq!(event.subject().unwrap().entity_type_id, Some(147));
        assert_eq!(event.code(), code);
    }
    let coded = verified(format!(
        "event=ONCRMDYNAMICITEMDELETE_147&data[FIELDS][ID]=5&{token}"
    ))
    .await;
    assert_eq!(coded.mismatch(), None);
    assert_eq!(coded.entity_type_id(), Some(147));
    assert_eq!(coded.subject().unwrap().entity_type_id, Some(147));
    let event = verified(format!("event=ONCRMDYNAMICITEMUPDATE_147&{token}")).await;
    assert_eq!(event.kind(), Some(EventKind::CrmDynamicItemUpdate));
    assert_eq!((event.subject(), event.entity_type_id()), (None, Some(147)));
}

#[tokio::test]
async fn smart_process_item_type_0_is_none() {
    let item = format!("data[FIELDS][ID]=5&auth[application_token]={TOKEN}");
    for (code, sent, id) in [
        ("ONCRMDYNAMICITEMADD_147", "0", Some(147)),
        ("ONCRMDYNAMICITEMADD_147", "148", Some(148)),
        ("ONCRMDYNAMICITEMADD_0", "148", Some(148)),
        ("ONCRMDYNAMICITEMADD_0", "0", None),
        ("ONCRMDYNAMICITEMADD", "0", None),
    ] {
        let form = format!("event={code}&data[FIELDS][ENTITY_TYPE_ID]={sent}&{item}");
        let event = verified(form).await;
        assert_eq!(event.entity_type_id(), id, "{code} {sent}");
        assert_eq!(event.subject().unwrap().entity_type_id, id, "{code} {sent}");
    }
}

#[tokio::test]
async fn invalid_object_id_is_not_a_subject() {
    for data in [
        "ONCRMDEALADD&data[FIELDS][ID]=0",
        "ONCRMCURRENCYADD&data[FIELDS][ID]=",
        "ONCRMMEASUREADD&data[FIELDS][ID]=0",
        "ONCRMMEASUREADD&data[FIELDS][ID]=",
        "ONVOXIMPLANTCALLEND&data[CALL_ID]=",
        "ONIMBOTV2DELETE&data[bot][id]=0",
        "ONCRMDYNAMICITEMADD&data[FIELDS][ID]=0&data[FIELDS][ENTITY_TYPE_ID]=147",
    ] {
        let event = verified(format!("event={data}&auth[application_token]={TOKEN}")).await;
        assert_ne!(*event.payload(), Payload::Unknown, "{data}");
        assert_eq!(event.subject(), None, "{data}");
    }
}

#[tokio::test]
async fn document_signed_in_an_hr_system_is_not_a_signer() {
    let code = "ONSIGNHCMLINKB2EDOCUMENTSIGNED";
    let event = verified(format!(
        "event={code}&data[id]=3942&auth[application_token]={TOKEN}"
    ))
    .await;
    let subject = event.subject().unwrap();
    assert_eq!(subject.entity, "sign.b2e.hcmlink.document");
    assert_eq!(subject.id, ObjectId::Number(3942));
}

#[tokio::test]
async fn payload_without_optional_fields_is_typed() {
    for data in [
        // PHP's `false` and `null` instead of a list, a map or an object.
        "ONUSERADD&data[ID]=1&data[UF_DEPARTMENT]=0",
        "ONUSERADD&data[ID]=1&data[UF_DEPARTMENT][0]=",
        "ONIMV2MESSAGEADD&data[user][departments]=0&data[chat]=0",
        "ONIMBOTMESSAGEADD&data[BOT]=0&data[PARAMS][MESSAGE_ID]=1&data[PARAMS][MENTIONED_LIST]=0",
        "ONIMBOTMESSAGEADD&data[BOT][7]=0&data[BOT][8]=&data[PARAMS][MESSAGE_ID]=1",
        "ONSESSIONSTART&data[DATA]=0",
        "ONIMCONNECTORDIALOGSTART&data[DATA]=0",
        "ONIMCONNECTORMESSAGEADD&data[MESSAGES]=0",
        "ONTASKUPDATE&data[FIELDS_BEFORE][ID]=5&data[FIELDS_AFTER]=0",
        "ONTASKCOMMENTADD&data[FIELDS_BEFORE]=false&data[FIELDS_AFTER][ID]=5",
        // Strings instead of numbers.
        "ONVOXIMPLANTCALLEND&data[CALL_ID]=a&data[CALL_DURATION]=-1&data[CRM_ACTIVITY_ID]=undefined",
        "ONCRMDEALMOVETOCATEGORY&data[FIELDS][ID]=1&data[FIELDS][CATEGORY_ID]=1.5",
        "ONCRMADDRESSREGISTER&data[FIELDS][TYPE_ID]=1&data[FIELDS][ENTITY_TYPE_ID]=1\
         &data[FIELDS][ENTITY_ID]=1&data[FIELDS][ANCHOR_ID]=99999999999999999999",
        // Strings that are not flags.
        "ONUSERADD&data[ID]=1&data[ACTIVE]=undefined",
        "ONAPPUNINSTALL&data[CLEAN]=undefined",
        "ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=1&data[PARAMS][SYSTEM]=x",
        "ONSESSIONSTART&data[DATA][session][closed]=x",
        // Undocumented keys, and keys of other events.
        "ONCRMDEALADD&data[FIELDS][ID]=1&data[FIELDS][id][x]=2",
        "ONCALENDARENTRYADD&data[id]=1&data[ID]=x",
        "ONCRMLEADUSERFIELDADD&data[FIELDS][ID]=1&data[FIELDS][ENTITY_ID]=a&data[FIELDS][entityId]=b",
        "ONCRMINVOICEUSERFIELDADD&data[id]=1&data[ID]=2&data[entityId]=a&data[ENTITY_ID]=b",
        "ONIMBOTMESSAGEADD&data[BOT][7][COMMAND][x]=1&data[PARAMS][MESSAGE_ID]=1",
        "ONSESSIONSTART&data[DATA][0][session][id]=2&data[DATA][total]=1",
        "ONIMBOTMESSAGEADD&data[BOT][zz]=1&data[BOT][7][BOT_ID]=7&data[PARAMS][MESSAGE_ID]=1",
        "ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=1&data[PARAMS][MENTIONED_LIST][5]=5\
         &data[PARAMS][MENTIONED_LIST][x]=x",
        "ONUSERADD&data[ID]=1&data[UF_DEPARTMENT][0]=1&data[UF_DEPARTMENT][x]=y",
        "ONCRMINVOICEUSERFIELDADD&data[id]=7&data[FIELDS][x]=1",
        "ONCRMINVOICEUSERFIELDADD&data[id]=&data[ID]=7",
        "ONCRMINVOICEUSERFIELDADD&data[id]=7&data[ID][x]=1",
        // Only the id of the subject.
        "ONEXTERNALCALLSTART&data[CALL_ID]=externalCall.x",
        "ONIMBOTV2MESSAGEADD&data[bot][code]=a&data[message][id]=1",
        "ONIMCOMMANDADD&data[COMMAND][7][MESSAGE_ID]=1",
        "ONTASKUPDATE&data[FIELDS_BEFORE][TITLE]=a&data[FIELDS_AFTER][ID]=5",
    ] {
        let event = verified(format!("event={data}&auth[application_token]={TOKEN}")).await;
        assert_eq!(event.mismatch(), None, "{data}");
        assert_ne!(*event.payload(), Payload::Unknown, "{data}");
    }
}

#[tokio::test]
async fn event_is_serialized_with_all_fields() {
    let form = format!(
        "event=onCrmDealUpdate&event_handler_id=7&data[FIELDS][ID]=27&data[EXTRA][0]=a&ts=1714649632\
         &auth[domain]=some-domain.bitrix24.com&auth[application_token]={TOKEN}"
    );
    let event = serde_json::to_value(verified(form).await).unwrap();
    assert_eq!(event["event"], "onCrmDealUpdate");
    assert_eq!(event["kind"], "CrmDealUpdate");
    assert_eq!(event["handler_id"], 7);
    assert_eq!(event["ts"], 1_714_649_632);
    assert_eq!(event["auth"]["domain"], "some-domain.bitrix24.com");
    assert_eq!(event["auth"]["application_token"], "[redacted]");
    assert_eq!(event["payload"], json!({"ID": 27}));
    assert_eq!(event["mismatch"], Json::Null);
    assert_eq!(
        event["data"],
        json!({"FIELDS": {"ID": "27"}, "EXTRA": ["a"]})
    );
}

#[test]
fn readme_counts_the_events_of_the_table() {
    let readme = include_str!("../../README.md");
    let all = EventKind::ALL.len();
    assert!(readme.contains(&format!("each of the {all} events")));
    assert!(readme.contains(&format!("All {} documented events, and eight", all - 8)));
}
