//! Payloads of the scope `imbot`: bots.
//!
//! Events of the older interface have entries by id, with tokens. Those of `imbot.v2` share objects
//! with `im.v2`.

mod auth;
mod context;
mod message;
mod params;
mod shared;
mod v1;
mod v2;

pub use self::auth::BotAuth;
pub use self::context::{ImBotContext, ImBotContextParams};
pub use self::message::{ImAttach, ImBotFile, ImFileType, ImMessageParams};
pub use self::params::{
    ImBotCommandParams, ImBotJoinChatParams, ImBotMessageAddParams, ImBotMessageDeleteParams,
    ImBotMessageUpdateParams,
};
pub use self::shared::ImBotCommandContext;
pub use self::v1::{
    ImBotCommand, ImBotCommandEntry, ImBotDelete, ImBotEntry, ImBotJoinChat, ImBotMessageAdd,
    ImBotMessageDelete, ImBotMessageUpdate, ImBotUser,
};
pub use self::v2::{
    ImBotV2Bot, ImBotV2Command, ImBotV2CommandCall, ImBotV2CommandContext, ImBotV2Context,
    ImBotV2Delete, ImBotV2EventMode, ImBotV2JoinChat, ImBotV2Message, ImBotV2MessageDelete,
    ImBotV2Reaction,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples::{count, parse, sample, with_tree};
    use crate::event::payload::{ImChatType, ImGender, ImMessageType, ImReactionAction};
    use crate::form::Value;

    #[test]
    fn deleted_bot_has_its_id() {
        assert_eq!(count("ONIMBOTDELETE"), 1);
        let event: ImBotDelete = sample("ONIMBOTDELETE");
        assert_eq!(
            (event.bot_id, event.bot_code.as_deref()),
            (567, Some("BOT"))
        );
        assert!(parse::<ImBotDelete>("event=ONIMBOTDELETE&data[BOT_CODE]=BOT").is_err());
    }

    #[test]
    fn bot_joins_a_private_or_a_group_chat() {
        assert_eq!(count("ONIMBOTJOINCHAT"), 2);
        let event: ImBotJoinChat = sample("ONIMBOTJOINCHAT-1");
        let bot = event.bots.get(571).unwrap();
        assert_eq!((event.bots.len(), bot.bot_id), (1, Some(571)));
        assert_eq!(bot.bot_code.as_deref(), Some("BOT"));
        assert_eq!(
            (&*event.params.dialog_id, event.params.chat_id),
            ("27", None)
        );
        let user = event.user.unwrap();
        assert_eq!((user.id, user.gender), (Some(27), Some(ImGender::Female)));

        let event: ImBotJoinChat = sample("ONIMBOTJOINCHAT-2");
        assert_eq!(event.params.dialog_id, "chat1157");
        assert_eq!(event.params.chat_id, Some(1157));
        assert_eq!(event.params.chat_type, Some(ImMessageType::Chat));
        assert_eq!(event.params.access_history, Some(true.into()));
    }

    #[test]
    fn message_to_a_bot_is_typed() {
        assert_eq!(count("ONIMBOTMESSAGEADD"), 2);
        let event: ImBotMessageAdd = sample("ONIMBOTMESSAGEADD-1");
        let params = &event.params;
        assert_eq!((params.message_id, params.from_user_id), (84331, Some(27)));
        assert_eq!(params.message.as_deref(), Some("Hello"));
        assert_eq!(params.command_context, Some(ImBotCommandContext::TextArea));
        assert!(params.mentioned_list.is_empty());
        let auth = event.bots.get(567).unwrap().auth.as_ref().unwrap();
        assert_eq!(auth.user_id, Some(567));
        assert_eq!(auth.expires, Some(1_771_932_585));
        assert_eq!(auth.status.as_ref().unwrap().as_str(), "F");

        let event: ImBotMessageAdd = sample("ONIMBOTMESSAGEADD-2");
        assert_eq!(event.params.mentioned_list.get(567), Some(&567));
        assert_eq!(event.params.chat_title.as_deref(), Some("Brown Chat #18"));
        assert_eq!(event.params.chat_extranet, Some(false.into()));
    }

    #[test]
    fn edited_or_deleted_message_to_a_bot_is_typed() {
        assert_eq!(count("ONIMBOTMESSAGEUPDATE"), 2);
        let event: ImBotMessageUpdate = sample("ONIMBOTMESSAGEUPDATE-1");
        assert_eq!(
            (event.params.message_id, event.params.id),
            (84531, Some(84531))
        );
        assert_eq!(event.user.unwrap().is_extranet, Some(false.into()));
        let event: ImBotMessageUpdate = sample("ONIMBOTMESSAGEUPDATE-2");
        assert_eq!(
            event.params.mentioned_list.iter().collect::<Vec<_>>(),
            [(571, &571)]
        );
        assert_eq!(event.user, None);

        assert_eq!(count("ONIMBOTMESSAGEDELETE"), 2);
        let event: ImBotMessageDelete = sample("ONIMBOTMESSAGEDELETE-1");
        assert_eq!(
            (event.params.message_id, event.params.to_user_id),
            (84525, Some(571))
        );
        let event: ImBotMessageDelete = sample("ONIMBOTMESSAGEDELETE-2");
        assert_eq!(event.params.dialog_id.as_deref(), Some("chat1157"));
        assert_eq!((event.bots.len(), event.user), (1, None));
    }

    #[test]
    fn bot_command_is_found_by_its_id() {
        assert_eq!(count("ONIMCOMMANDADD"), 2);
        let event: ImBotCommand = sample("ONIMCOMMANDADD-1");
        let command = event.commands.get(103).unwrap();
        assert_eq!(command.command.as_deref(), Some("echo"));
        assert_eq!(
            (command.command_id, command.message_id),
            (Some(103), Some(33899))
        );
        assert_eq!(command.bot_id, Some(1291));
        assert_eq!(event.params.unwrap().message_id, Some(33899));

        let event: ImBotCommand = sample("ONIMCOMMANDADD-2");
        let params = event.params.unwrap();
        assert_eq!(params.bot_in_chat.get(1291), Some(&1291));
        assert_eq!(params.chat_parent_id, Some(0));
    }

    #[test]
    fn bot_tokens_are_found_without_an_auth_block() {
        let event: ImBotMessageAdd = parse(
            "event=ONIMBOTMESSAGEADD&data[BOT][999999999][BOT_ID]=999999999&data[BOT][7][BOT_ID]=7\
             &data[BOT][7][access_token]=s3&data[BOT][7][AUTH]=&data[PARAMS][MESSAGE_ID]=1\
             &data[USER]=",
        )
        .unwrap();
        let auth = event.bots.get(7).unwrap().auth.as_ref().unwrap();
        assert_eq!(auth.access_token.as_ref().unwrap().expose(), "s3");
        assert_eq!(auth.refresh_token, None);
        assert_eq!(event.bots.get(999_999_999).unwrap().auth, None);
        assert_eq!(event.user, None);
    }

    #[test]
    fn imbot_v2_samples_are_typed() {
        let event: ImBotV2Message = sample("ONIMBOTV2MESSAGEADD-data");
        let bot = event.bot.unwrap();
        assert_eq!((bot.id, bot.count_message), (Some(456), Some(150)));
        assert_eq!(bot.event_mode, Some(ImBotV2EventMode::Fetch));
        assert_eq!(event.message.unwrap().id, Some(789));
        let active = event.user.unwrap().last_activity_date.unwrap();
        assert_eq!(active.as_str(), Some("2025-01-15T10:29:00+02:00"));

        let event: ImBotV2Reaction = sample("ONIMBOTV2REACTIONCHANGE-data");
        assert_eq!(event.action, Some(ImReactionAction::Add));
        assert_eq!(event.message.unwrap().author_id, Some(456));

        let event: ImBotV2Command = sample("ONIMBOTV2COMMANDADD-data");
        assert_eq!(
            (event.command.id, event.command.params.as_deref()),
            (78, Some("topic"))
        );
        assert_eq!(event.command.context, Some(ImBotV2CommandContext::TextArea));

        let event: ImBotV2JoinChat = sample("ONIMBOTV2JOINCHAT-data");
        assert_eq!(event.dialog_id, "chat5");

        let event: ImBotV2Delete = sample("ONIMBOTV2DELETE-data");
        assert_eq!(event.bot.code.as_deref(), Some("support_bot"));

        let event: ImBotV2Context = sample("ONIMBOTV2CONTEXTGET-1-data");
        assert_eq!(event.context.unwrap()["entityId"].as_str(), Some("164"));
        assert_eq!(event.chat.unwrap().kind, Some(ImChatType::Private));
    }

    #[test]
    fn shortened_imbot_v2_samples_are_typed() {
        assert_eq!(count("ONIMBOTV2MESSAGEADD"), 4);
        let event: ImBotV2Message = sample("ONIMBOTV2MESSAGEADD-1");
        assert!(event.bot.unwrap().auth.unwrap().refresh_token.is_some());
        assert_eq!(event.message, None);
        let event: ImBotV2Message = sample("ONIMBOTV2MESSAGEADD-2");
        assert_eq!(
            event.message.unwrap().text.as_deref(),
            Some("what's burning")
        );
        let event: ImBotV2Message = sample("ONIMBOTV2MESSAGEADD-3");
        let message = event.message.unwrap();
        assert_eq!((message.id, message.chat_id), (None, Some(112)));
        let event: ImBotV2JoinChat = sample("ONIMBOTV2JOINCHAT");
        assert_eq!(event.user.unwrap().name.as_deref(), Some("Klaus Weber"));

        // These two samples are elements of the response to polling, with the event in their
        // `data`.
        assert_eq!(count("ONIMBOTV2CONTEXTGET"), 3);
        for name in ["ONIMBOTV2CONTEXTGET-2-data", "ONIMBOTV2CONTEXTGET-3-data"] {
            let (event, tree) = with_tree::<ImBotV2Context>(name);
            assert_eq!((event.bot, event.context), (None, None));
            assert_eq!(tree["type"], "ONIMBOTV2CONTEXTGET");
        }
    }

    #[test]
    fn deleted_imbot_v2_message_has_its_id() {
        let body = "event=ONIMBOTV2MESSAGEDELETE&data[bot][id]=456&data[messageId]=789\
                    &data[chat][id]=5&data[user][id]=1&data[language]=en";
        let event: ImBotV2MessageDelete = parse(body).unwrap();
        assert_eq!((event.message_id, event.bot.unwrap().id), (789, Some(456)));
        assert_eq!(event.chat.unwrap().id, Some(5));
    }

    #[test]
    fn imbot_v2_context_may_have_any_shape() {
        for (context, shape) in [
            ("data[context][a][b]=1", None),
            ("data[context]=deal", Some("deal")),
            ("data[context]=", Some("")),
        ] {
            let event: ImBotV2Context = parse(format!("event=X&{context}")).unwrap();
            assert_eq!(
                event.context.as_ref().and_then(Value::as_str),
                shape,
                "{context}"
            );
        }
    }

    #[test]
    fn bot_event_needs_only_the_id_of_its_subject() {
        let body = "event=X&data[bot][code]=a&data[messageId]=7";
        assert_eq!(
            parse::<ImBotV2MessageDelete>(body).unwrap().bot.unwrap().id,
            None
        );
        assert_eq!(
            parse::<ImBotV2Delete>(body).unwrap().bot.code.as_deref(),
            Some("a")
        );

        let body =
            "event=ONIMCOMMANDADD&data[COMMAND][7][COMMAND]=echo&data[COMMAND][7][MESSAGE_ID]=5";
        let event: ImBotCommand = parse(body).unwrap();
        assert_eq!(event.commands.get(7).unwrap().message_id, Some(5));
        assert_eq!(event.params, None);
        let event: ImBotCommand = parse(format!("{body}&data[PARAMS][MESSAGE]=a")).unwrap();
        assert_eq!(event.params.unwrap().message_id, None);
    }

    #[test]
    fn bot_event_without_the_id_of_its_subject_is_a_mismatch() {
        assert!(parse::<ImBotV2Delete>("event=X").is_err());
        let mismatch = parse::<ImBotMessageAdd>("event=X&data[PARAMS][MESSAGE]=a").unwrap_err();
        assert_eq!(
            mismatch.to_string(),
            "data.PARAMS: missing field `MESSAGE_ID`"
        );
    }

    #[test]
    fn command_fields_in_a_bot_entry_are_ignored() {
        let event: ImBotMessageAdd = parse(
            "event=X&data[BOT][7][BOT_ID]=7&data[BOT][7][COMMAND][x]=1\
             &data[BOT][7][COMMAND_CONTEXT][y]=1&data[PARAMS][MESSAGE_ID]=1",
        )
        .unwrap();
        assert_eq!(event.bots.get(7).unwrap().bot_id, Some(7));
    }

    #[test]
    fn bot_token_missing_from_auth_is_read_from_beside_it() {
        let event: ImBotMessageAdd = parse(
            "event=X&data[BOT][7][access_token]=old&data[BOT][7][refresh_token]=s3\
             &data[BOT][7][AUTH][access_token]=new&data[PARAMS][MESSAGE_ID]=1",
        )
        .unwrap();
        let auth = event.bots.get(7).unwrap().auth.as_ref().unwrap();
        assert_eq!(auth.access_token.as_ref().unwrap().expose(), "new");
        assert_eq!(auth.refresh_token.as_ref().unwrap().expose(), "s3");
    }

    #[test]
    fn empty_bots_and_bot_entries_are_read_as_none() {
        for (pairs, bots) in [
            ("data[BOT]=0", 0),
            ("data[BOT][7]=0&data[BOT][8][BOT_ID]=8", 1),
        ] {
            let body = format!(
                "event=X&{pairs}&data[PARAMS][MESSAGE_ID]=1&data[PARAMS][MENTIONED_LIST]=0"
            );
            let event: ImBotMessageAdd = parse(body).unwrap();
            assert_eq!(
                (event.bots.len(), event.params.mentioned_list.len()),
                (bots, 0)
            );
        }
    }

    #[test]
    fn bot_tokens_are_redacted() {
        fn shown<T>(body: &str) -> String
        where
            T: std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
        {
            let payload: T = parse(body).unwrap();
            format!("{payload:?} {}", serde_json::to_string(&payload).unwrap())
        }
        let tokens = |place: &str| {
            ["access_token", "refresh_token", "application_token"]
                .map(|token| format!("&data{place}[{token}]=s3cret"))
                .concat()
        };

        for key in ["[BOT][7]", "[COMMAND][7]"] {
            for places in [vec![""], vec!["[AUTH]"], vec!["", "[AUTH]"]] {
                let tokens = places.iter().map(|place| tokens(&format!("{key}{place}")));
                let tokens = tokens.collect::<String>();
                let body =
                    format!("event=X{tokens}&data[PARAMS][MESSAGE_ID]=1&data[PARAMS][DIALOG_ID]=1");
                let texts = match key {
                    "[COMMAND][7]" => vec![shown::<ImBotCommand>(&body)],
                    _ => vec![
                        shown::<ImBotJoinChat>(&body),
                        shown::<ImBotMessageAdd>(&body),
                        shown::<ImBotMessageUpdate>(&body),
                        shown::<ImBotMessageDelete>(&body),
                    ],
                };
                for text in texts {
                    assert!(!text.contains("s3cret"), "{text}");
                    assert_eq!(text.matches("[redacted]").count(), 6, "{text}");
                }
            }
        }

        let body = format!(
            "event=X&data[bot][id]=1{}&data[messageId]=1&data[dialogId]=1&data[command][id]=1\
             &data[context][token]=s3cret",
            tokens("[bot][auth]")
        );
        for text in [
            shown::<ImBotV2Message>(&body),
            shown::<ImBotV2MessageDelete>(&body),
            shown::<ImBotV2JoinChat>(&body),
            shown::<ImBotV2Reaction>(&body),
            shown::<ImBotV2Command>(&body),
            shown::<ImBotV2Context>(&body),
            shown::<ImBotV2Delete>(&body),
        ] {
            assert!(!text.contains("s3cret"), "{text}");
            assert!(text.matches("[redacted]").count() >= 6, "{text}");
        }
    }
}
