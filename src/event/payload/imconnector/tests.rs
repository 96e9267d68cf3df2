//! Payloads of connectors in the shapes that portals send.

use super::*;
use crate::event::payload::samples::{parse, sample};

#[test]
fn connector_dialog_opens_and_closes() {
    for (name, closed) in [("START", false), ("FINISH", true)] {
        let name = format!("ONIMCONNECTORDIALOG{name}");
        let event: ConnectorDialog = sample(&name);
        assert_eq!(event.connector.as_deref(), Some("newcustomconnector"));
        assert_eq!(event.line, Some(105));
        let [record] = &*event.records else {
            panic!("{event:?}")
        };
        let session = record.session.as_ref().unwrap();
        assert_eq!((session.id, session.close_term), (Some(3282), Some(10)));
        assert_eq!(session.closed, Some(closed.into()));
        let user = record.user.as_ref().unwrap();
        assert_eq!(user.id.as_deref(), Some("0"));
    }
}

#[test]
fn external_ids_of_a_connector_are_strings() {
    let body = "event=ONIMCONNECTORDIALOGSTART&data[DATA][0][connector][chat_id]=repair-chat\
                &data[DATA][0][chat][id]=repair-chat&data[DATA][0][user][id]=%2B49";
    let event: ConnectorDialog = parse(body).unwrap();
    let record = event.records.into_iter().next().unwrap();
    assert_eq!(
        record.connector.unwrap().chat_id.as_deref(),
        Some("repair-chat")
    );
    assert_eq!(record.chat.unwrap().id.as_deref(), Some("repair-chat"));
    assert_eq!(record.user.unwrap().id.as_deref(), Some("+49"));
}

#[test]
fn connector_message_is_typed() {
    let event: ConnectorMessageAdd = sample("ONIMCONNECTORMESSAGEADD");
    assert_eq!(
        (event.connector.as_deref(), event.line),
        (Some("myconnector"), Some(107))
    );
    let record = event.messages.into_iter().next().unwrap();
    assert_eq!(record.im.unwrap().message_id, Some(86497));
    assert_eq!(record.message.unwrap().user_id, Some(27));
    assert_eq!(record.chat.unwrap().id.as_deref(), Some("channel-123"));
}

/// `pairs` are those of the message, each after an `&`.
fn outgoing(pairs: &str) -> ConnectorMessageAddRecord {
    let pairs = pairs.replace('&', "&data[MESSAGES][0]");
    let body = format!("event=ONIMCONNECTORMESSAGEADD{pairs}&data[MESSAGES][0][chat][id]=7");
    let event: ConnectorMessageAdd =
        parse(body).unwrap_or_else(|mismatch| panic!("{pairs}: {mismatch}"));
    event.messages.into_iter().next().unwrap()
}

#[test]
fn connector_message_has_its_files_and_operator() {
    let record = outgoing(
        "&[message][files][0][name]=a.jpg&[message][files][0][type]=image\
         &[message][files][0][downloadLink]=/disk/downloadFile/1/&[message][files][0][size]=9\
         &[message][files][0][width]=640&[message][files][1][name]=b.pdf\
         &[message][attachments][0]={}&[message][params][IS_DELIVERED]=Y\
         &[user][ID]=1&[user][NAME]=A&[user][ONLINE]=1&[user][AVATAR_ID]=0",
    );
    let message = record.message.unwrap();
    let [picture, document] = &message.files[..] else {
        panic!("{message:?}")
    };
    assert_eq!(picture.kind, Some(ImFileType::Image));
    assert_eq!((picture.size, picture.width), (Some(9), Some(640)));
    let link = picture.download_link.as_ref().unwrap();
    assert_eq!(link.expose(), "/disk/downloadFile/1/");
    assert_eq!(document.name.as_deref(), Some("b.pdf"));
    assert_eq!(message.attachments[0].as_str(), Some("{}"));
    let params = message.params.unwrap();
    assert_eq!(params["IS_DELIVERED"].as_str(), Some("Y"));
    let user = record.user.unwrap();
    assert_eq!((user.id, user.avatar_id), (Some(1), Some(0)));
    assert_eq!(user.online, Some(true.into()));
}

#[test]
fn unexpected_files_attachments_and_operators_lose_no_connector_message() {
    for key in [
        "[message][files]",
        "[message][attachments]",
        "[message][params]",
        "[user]",
    ] {
        for shape in [
            "=",
            "=0",
            "=x",
            "[0]=x",
            "[x]=y",
            "[x][y]=z",
            "[0][name][x]=1",
            "[0][size]=x",
            "[ID][x]=1",
            "[NAME][0]=x",
            "[GENDER][x]=M",
            "[0][name]=%FF",
            "[]=x",
            "=%FF",
        ] {
            let record = outgoing(&format!("&{key}{shape}"));
            assert_eq!(
                record.chat.unwrap().id.as_deref(),
                Some("7"),
                "{key}{shape}"
            );
        }
    }
}

#[test]
fn connector_file_links_are_redacted() {
    let record = outgoing(
        "&[message][files][0][link]=https://p/~s3cret&[message][files][0][downloadLink]=s3cret",
    );
    let json = serde_json::to_string(&record).unwrap();
    for shown in [format!("{record:?}"), json] {
        assert!(!shown.contains("s3cret"), "{shown}");
        assert_eq!(shown.matches("[redacted]").count(), 2, "{shown}");
    }
}

#[test]
fn connector_message_ids_are_a_list_or_a_single_one() {
    let event: ConnectorMessageUpdate = sample("ONIMCONNECTORMESSAGEUPDATE");
    let record = event.messages.into_iter().next().unwrap();
    assert_eq!(*record.message.unwrap().id, ["ext-msg-005"]);
    let event: ConnectorMessageDelete = sample("ONIMCONNECTORMESSAGEDELETE");
    let record = event.messages.into_iter().next().unwrap();
    assert_eq!(*record.message.unwrap().id, ["ext-msg-005"]);
    assert_eq!(record.im.unwrap().message_id, Some(86501));

    let body = "event=X&data[MESSAGES][2][message][id]=&data[MESSAGES][5][message][id][3]=a";
    let event: ConnectorMessageUpdate = parse(body).unwrap();
    let messages = event.messages.into_iter().map(|record| record.message);
    let ids = messages.map(|message| message.map(|message| message.id.into_vec()));
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [Some(vec![]), Some(vec!["a".to_owned()])]
    );
}

#[test]
fn connector_records_may_be_a_single_one_or_none() {
    let event: ConnectorDialog = parse("event=X&data[DATA][session][id]=7").unwrap();
    assert_eq!(event.records[0].session.as_ref().unwrap().id, Some(7));
    let event: ConnectorMessageAdd = parse("event=X&data[MESSAGES][chat][id]=a").unwrap();
    assert_eq!(event.messages.len(), 1);
    for nothing in ["", "0", "false"] {
        let body = format!("event=X&data[DATA]={nothing}&data[MESSAGES]={nothing}");
        assert!(
            parse::<ConnectorDialog>(body.clone())
                .unwrap()
                .records
                .is_empty()
        );
        assert!(
            parse::<ConnectorMessageDelete>(body)
                .unwrap()
                .messages
                .is_empty()
        );
    }
}

#[test]
fn disconnected_connector_is_typed() {
    let event: ConnectorStatus = sample("ONIMCONNECTORSTATUSDELETE");
    assert_eq!(
        (event.connector.as_deref(), event.line),
        (Some("myconnector"), Some(107))
    );
}

#[test]
fn deleted_line_has_only_its_id() {
    assert_eq!(sample::<ConnectorLineId>("ONIMCONNECTORLINEDELETE").0, 107);
    for body in [
        "event=X",
        "event=X&data=",
        "event=X&data=x",
        "event=X&data[ID]=107",
    ] {
        assert!(parse::<ConnectorLineId>(body).is_err(), "{body}");
    }
}
