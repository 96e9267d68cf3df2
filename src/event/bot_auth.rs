//! The tokens of the bot that an event is for.

use super::payload::BotAuth;
use super::{Event, Payload};

impl Event {
    /// Returns the tokens of the bot that the event is for, to call the portal as the bot. Returns
    /// `None` if the event is not for a bot, or has no tokens of one.
    ///
    /// An event for several bots returns the tokens of the first bot that has an access token. The
    /// payload has the tokens of each.
    ///
    /// ```
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = "event=ONIMBOTMESSAGEADD&data[BOT][7][BOT_ID]=7\
    ///             &data[BOT][7][AUTH][access_token]=s6p6eclrvim6da22\
    ///             &data[BOT][7][AUTH][client_endpoint]=https://some-domain.bitrix24.com/rest/\
    ///             &data[PARAMS][MESSAGE_ID]=99&data[PARAMS][DIALOG_ID]=chat5\
    ///             &auth[application_token]=192735";
    /// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
    /// assert_eq!(event.auth().access_token(), None);
    ///
    /// let auth = event.bot_auth().expect("the bot has tokens");
    /// let token = auth.access_token.as_ref().expect("one of them is the access token");
    /// assert_eq!(token.expose(), "s6p6eclrvim6da22");
    /// assert_eq!(auth.client_endpoint.as_deref(), Some("https://some-domain.bitrix24.com/rest/"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bot_auth(&self) -> Option<&BotAuth> {
        let bots = match self.payload() {
            Payload::ImBotContextGet(event) => &event.bots,
            Payload::ImBotJoinChat(event) => &event.bots,
            Payload::ImBotMessageAdd(event) => &event.bots,
            Payload::ImBotMessageUpdate(event) => &event.bots,
            Payload::ImBotMessageDelete(event) => &event.bots,
            Payload::ImCommandAdd(event) => {
                let commands = event.commands.iter();
                return first_usable(commands.filter_map(|(_, command)| command.auth.as_ref()));
            }
            Payload::ImBotV2CommandAdd(event) => return event.bot.as_ref()?.auth.as_ref(),
            Payload::ImBotV2ContextGet(event) => return event.bot.as_ref()?.auth.as_ref(),
            Payload::ImBotV2Delete(event) => return event.bot.auth.as_ref(),
            Payload::ImBotV2JoinChat(event) => return event.bot.as_ref()?.auth.as_ref(),
            Payload::ImBotV2MessageAdd(event) | Payload::ImBotV2MessageUpdate(event) => {
                return event.bot.as_ref()?.auth.as_ref();
            }
            Payload::ImBotV2MessageDelete(event) => return event.bot.as_ref()?.auth.as_ref(),
            Payload::ImBotV2ReactionChange(event) => return event.bot.as_ref()?.auth.as_ref(),
            _ => return None,
        };
        first_usable(bots.iter().filter_map(|(_, bot)| bot.auth.as_ref()))
    }
}

/// Prefers tokens with an access token, and takes the first otherwise.
fn first_usable<'a>(bots: impl Iterator<Item = &'a BotAuth>) -> Option<&'a BotAuth> {
    bots.reduce(|first, next| {
        if first.access_token.is_none() && next.access_token.is_some() {
            next
        } else {
            first
        }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::envelope::Envelope;

    fn parsed(body: impl Into<Bytes>) -> Event {
        Event::from_verified(Envelope::scan(body).unwrap())
    }

    #[test]
    fn bot_auth_is_read_from_every_event_of_a_bot() {
        let tokens = "[access_token]=s3cret";
        for (code, data) in [
            ("ONIMBOTCONTEXTGET", format!("[BOT][7][AUTH]{tokens}")),
            (
                "ONIMBOTJOINCHAT",
                format!("[BOT][7][AUTH]{tokens}&data[PARAMS][DIALOG_ID]=1"),
            ),
            (
                "ONIMBOTMESSAGEADD",
                format!("[BOT][7]{tokens}&data[PARAMS][MESSAGE_ID]=1"),
            ),
            (
                "ONIMBOTMESSAGEUPDATE",
                format!("[BOT][7]{tokens}&data[PARAMS][MESSAGE_ID]=1"),
            ),
            (
                "ONIMBOTMESSAGEDELETE",
                format!("[BOT][7]{tokens}&data[PARAMS][MESSAGE_ID]=1"),
            ),
            ("ONIMCOMMANDADD", format!("[COMMAND][7][AUTH]{tokens}")),
            (
                "ONIMBOTV2COMMANDADD",
                format!("[bot][auth]{tokens}&data[command][id]=1"),
            ),
            ("ONIMBOTV2CONTEXTGET", format!("[bot][auth]{tokens}")),
            ("ONIMBOTV2DELETE", format!("[bot][auth]{tokens}")),
            (
                "ONIMBOTV2JOINCHAT",
                format!("[bot][auth]{tokens}&data[dialogId]=1"),
            ),
            ("ONIMBOTV2MESSAGEADD", format!("[bot][auth]{tokens}")),
            ("ONIMBOTV2MESSAGEUPDATE", format!("[bot][auth]{tokens}")),
            (
                "ONIMBOTV2MESSAGEDELETE",
                format!("[bot][auth]{tokens}&data[messageId]=1"),
            ),
            ("ONIMBOTV2REACTIONCHANGE", format!("[bot][auth]{tokens}")),
        ] {
            let event = parsed(format!("event={code}&data{data}"));
            assert_eq!(event.mismatch(), None, "{code}");
            let token = event.bot_auth().unwrap().access_token.as_ref().unwrap();
            assert_eq!(token.expose(), "s3cret", "{code}");
            assert!(!format!("{event:?}").contains("s3cret"), "{code}");
        }
    }

    #[test]
    fn bot_auth_is_that_of_the_first_bot_with_an_access_token() {
        let message = |bots: &str| {
            let body = format!("event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=1{bots}");
            parsed(body).bot_auth().map(|auth| auth.user_id)
        };
        let bots = "&data[BOT][7][AUTH][user_id]=7&data[BOT][8][AUTH][user_id]=8";
        assert_eq!(message(bots), Some(Some(7)));
        let tokens = "&data[BOT][8][AUTH][access_token]=a&data[BOT][9][AUTH][access_token]=b";
        assert_eq!(message(&format!("{bots}{tokens}")), Some(Some(8)));
        assert_eq!(message("&data[BOT][7][BOT_ID]=7"), None);
        assert_eq!(message("&data[BOT]=x"), None);
        assert!(
            parsed("event=ONCRMDEALADD&data[FIELDS][ID]=1")
                .bot_auth()
                .is_none()
        );
    }
}
