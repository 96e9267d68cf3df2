//! `TestEvent`: an event for tests.

use std::fmt;

use super::auth::Sender;
use super::tamper::Tamper;
use super::text::Text;
use crate::event::EventKind;
use crate::secret::REDACTED;

/// An event for tests, built from the documentation's sample.
///
/// Its form is encoded as PHP encodes it, in the order of the wire: `event`, `event_handler_id`,
/// `data`, `ts`, `auth`.
///
/// ```
/// use tower_bitrix24::testing::TestEvent;
/// use tower_bitrix24::EventKind;
///
/// let form = TestEvent::new(EventKind::CrmDealAdd)
///     .id(27)
///     .set("FIELDS[TITLE]", "Tea & cake")
///     .webhook()
///     .form();
/// assert_eq!(
///     form,
///     "event=ONCRMDEALADD&event_handler_id=1&data%5BFIELDS%5D%5BID%5D=27\
///      &data%5BFIELDS%5D%5BTITLE%5D=Tea+%26+cake&ts=1714649632\
///      &auth%5Bdomain%5D=some-domain.bitrix24.com\
///      &auth%5Bclient_endpoint%5D=https%3A%2F%2Fsome-domain.bitrix24.com%2Frest%2F\
///      &auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F\
///      &auth%5Bmember_id%5D=a223c6b3710f85df22e9377d6c4f7553\
///      &auth%5Bapplication_token%5D=51856fefc120afa4b628cc82d3935cce",
/// );
/// ```
///
/// `Debug` shows neither tokens nor the values of the data.
#[derive(Clone)]
#[must_use]
pub struct TestEvent {
    pub(super) kind: Option<EventKind>,
    pub(super) code: String,
    pub(super) id: Option<Text>,
    pub(super) changes: Vec<Change>,
    pub(super) handler_id: Option<u64>,
    pub(super) ts: i64,
    pub(super) domain: String,
    pub(super) member_id: String,
    pub(super) token: String,
    pub(super) access_token: String,
    pub(super) sender: Sender,
    pub(super) tamper: Option<Tamper>,
}

/// A change to the data at a path below `data`.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) path: Vec<String>,
    /// `None` removes the value.
    pub(super) text: Option<Text>,
}

impl TestEvent {
    /// The default application token.
    pub const TOKEN: &'static str = "51856fefc120afa4b628cc82d3935cce";

    /// The user agent of the platform's requests.
    pub const USER_AGENT: &'static str = "Bitrix24 Webhook Engine";

    /// Creates a documented event with the data of its sample.
    pub fn new(kind: EventKind) -> Self {
        Self::with_code(kind.as_str())
    }

    /// Creates an event with this code, which is sent unchanged.
    ///
    /// If the code is documented, in upper or lower case, the data are those of the sample. Otherwise
    /// they are an id in `FIELDS`, as for most events.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    ///
    /// let event = TestEvent::with_code("ONSOMETHINGNEW").id(7).set("stops[]", "Riga").event();
    /// assert_eq!((event.kind(), event.code()), (None, "ONSOMETHINGNEW"));
    /// let data = event.data().expect("an id and a stop");
    /// assert_eq!(data["FIELDS"]["ID"].as_str(), Some("7"));
    /// assert_eq!(data["stops"]["0"].as_str(), Some("Riga"));
    /// ```
    pub fn with_code(code: impl Into<String>) -> Self {
        let code = code.into();
        let typed = EventKind::parse_dynamic_item_code(&code);
        let event = Self {
            kind: EventKind::from_code(&code),
            code,
            id: None,
            changes: Vec::new(),
            handler_id: Some(1),
            ts: 1_714_649_632,
            domain: "some-domain.bitrix24.com".to_owned(),
            member_id: "a223c6b3710f85df22e9377d6c4f7553".to_owned(),
            token: Self::TOKEN.to_owned(),
            access_token: "s6p6eclrvim6da22ft9ch94ekreb52lv".to_owned(),
            sender: Sender::Application,
            tamper: None,
        };
        match typed {
            Some((_, id)) => event.set("FIELDS[ENTITY_TYPE_ID]", id),
            None => event,
        }
    }

    /// Sets the code, but keeps the data.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Sets the id of the object in every place that the event has it: in `FIELDS`, in `data` itself,
    /// before and after a change, or as the key of a bot. For an event that is not about one object,
    /// sets the id that the payload requires, for example of a job, a session, a command or a line.
    ///
    /// A value [set](Self::set) at the same place takes precedence.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    /// use tower_bitrix24::EventKind;
    ///
    /// for (kind, id) in [
    ///     (EventKind::TaskUpdate, "5"),
    ///     (EventKind::ImConnectorLineDelete, "107"),
    ///     (EventKind::CrmCurrencyAdd, "EUR"),
    /// ] {
    ///     let event = TestEvent::new(kind).id(id).event();
    ///     assert_eq!(event.subject().expect("it has one").id.to_string(), id);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the event has no id ([`has_id`](Self::has_id)), for example ONAPPINSTALL.
    pub fn id(mut self, id: impl Into<Text>) -> Self {
        assert!(self.has_id(), "{} has no id", self.code);
        self.id = Some(id.into());
        self
    }

    /// Returns `true` if the event has an [id](Self::id).
    pub fn has_id(&self) -> bool {
        let data = |id| self.data_about(Some(id));
        data("1") != data("2")
    }

    /// Sets a value in the data. The path is that of the wire, with or without `data`: `FIELDS[ID]` and
    /// `data[FIELDS][ID]` are the same. `data` alone replaces all data with one string. `[]` is the
    /// next index of a list.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    /// use tower_bitrix24::{EventKind, Payload};
    ///
    /// let user = TestEvent::new(EventKind::UserAdd).set("NAME", "Anna").set("UF_DEPARTMENT[]", 7);
    /// let event = user.event();
    /// let Payload::UserAdd(user) = event.payload() else { panic!("{event:?}") };
    /// assert_eq!(user.name.as_deref(), Some("Anna"));
    /// assert_eq!(*user.departments, [1, 2, 7]);
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `path` is not [a path](Self::is_path), for example because its brackets do not match.
    pub fn set(self, path: &str, value: impl Into<Text>) -> Self {
        self.change(path, Some(value.into()))
    }

    /// Removes a value or an array from the data. `data` removes all data.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    /// use tower_bitrix24::EventKind;
    ///
    /// let event = TestEvent::new(EventKind::CrmDealAdd).remove("FIELDS[ID]").event();
    /// assert_eq!(event.data(), None);
    /// assert!(event.mismatch().is_some());
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `path` is not [a path](Self::is_path), for example because its brackets do not match.
    pub fn remove(self, path: &str) -> Self {
        self.change(path, None)
    }

    /// Returns `true` if `path` is a path in the data. Check it if it is not a constant of the test.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    ///
    /// assert!(TestEvent::is_path("FIELDS[ID]") && TestEvent::is_path("STOPS[]"));
    /// assert!(!TestEvent::is_path("FIELDS[ID") && !TestEvent::is_path(""));
    /// ```
    pub fn is_path(path: &str) -> bool {
        keys(path).is_some()
    }

    fn change(mut self, path: &str, text: Option<Text>) -> Self {
        let keys =
            keys(path).unwrap_or_else(|| panic!("{path:?} is not a path such as FIELDS[ID]"));
        let path = keys.into_iter().map(str::to_owned).collect();
        self.changes.push(Change { path, text });
        self
    }

    /// Sets the object type of a smart process item, in the data and at the end of the code
    /// (`ONCRMDYNAMICITEMADD_147`).
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    /// use tower_bitrix24::EventKind;
    ///
    /// let event = TestEvent::new(EventKind::CrmDynamicItemAdd).entity_type_id(147).event();
    /// assert_eq!(event.code(), "ONCRMDYNAMICITEMADD_147");
    /// assert_eq!(event.entity_type_id(), Some(147));
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the event is not about a smart process item, or if its code already has a type.
    pub fn entity_type_id(mut self, id: u64) -> Self {
        self.code = format!("{}_{id}", self.code);
        let typed = EventKind::parse_dynamic_item_code(&self.code).is_some();
        assert!(
            typed,
            "{} is not the code of a smart process item",
            self.code
        );
        self.set("FIELDS[ENTITY_TYPE_ID]", id)
    }

    /// Sets the id of the handler registration. Defaults to 1.
    pub fn handler_id(mut self, id: u64) -> Self {
        self.handler_id = Some(id);
        self
    }

    /// Omits `event_handler_id`, as older portals do.
    pub fn without_handler_id(mut self) -> Self {
        self.handler_id = None;
        self
    }

    /// Sets the time of the event, in unix seconds. Defaults to 1714649632, in May 2024.
    pub fn ts(mut self, seconds: i64) -> Self {
        self.ts = seconds;
        self
    }

    /// Sets the portal's host. Defaults to `some-domain.bitrix24.com`.
    pub fn portal(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into();
        self
    }

    /// Sets the portal's id. Defaults to `a223c6b3710f85df22e9377d6c4f7553`.
    pub fn member_id(mut self, id: impl Into<String>) -> Self {
        self.member_id = id.into();
        self
    }

    /// Sets the application token. Defaults to [`TOKEN`](Self::TOKEN).
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = token.into();
        self
    }

    /// Sets the access token, which calls the portal and verifies an installation. Not every event has
    /// one. Defaults to `s6p6eclrvim6da22ft9ch94ekreb52lv`.
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.access_token = token.into();
        self
    }

    /// Fills `auth` as for an application's handler: with the OAuth fields, and with a refresh token in
    /// the events that have one. This is the default.
    ///
    /// As on the platform, an application that is removed or unpaid gets no OAuth fields. Events of
    /// bots have the bot's fields in their data instead.
    pub fn application(mut self) -> Self {
        self.sender = Sender::Application;
        self
    }

    /// Fills `auth` as for an outgoing webhook: only with the portal's addresses and id and the
    /// application token.
    pub fn webhook(mut self) -> Self {
        self.sender = Sender::Webhook;
        self
    }

    /// Fills `auth` as a robot or a workflow does, which is the same as for a
    /// [webhook](Self::webhook).
    pub fn robot(self) -> Self {
        self.webhook()
    }

    /// Tampers with the event, so that the layer rejects it. A later call replaces an earlier one.
    pub fn tampered(mut self, tamper: Tamper) -> Self {
        self.tamper = Some(tamper);
        self
    }
}

/// Returns the keys below `data` of a path such as `FIELDS[ID]` or `data[FIELDS][ID]`. Returns `None`
/// if the brackets do not match.
pub(super) fn keys(path: &str) -> Option<Vec<&str>> {
    let (name, mut rest) = path.split_at(path.find('[').unwrap_or(path.len()));
    let mut keys = match name {
        "data" => Vec::new(),
        "" => return None,
        name => vec![name],
    };
    while !rest.is_empty() {
        let (key, behind) = rest.strip_prefix('[')?.split_once(']')?;
        keys.push(key);
        rest = behind;
    }
    let plain = |key: &&str| !key.contains(['[', ']']);
    keys.iter().all(plain).then_some(keys)
}

impl fmt::Debug for TestEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEvent")
            .field("code", &self.code)
            .field("id", &self.id)
            .field("handler_id", &self.handler_id)
            .field("ts", &self.ts)
            .field("domain", &self.domain)
            .field("member_id", &self.member_id)
            .field("token", &format_args!("{REDACTED}"))
            .field("sender", &self.sender)
            .field("tamper", &self.tamper)
            .finish_non_exhaustive()
    }
}
