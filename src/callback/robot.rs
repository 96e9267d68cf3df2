//! `Robot`: a robot or an activity that the application is asked to run, and its result.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::document::Document;
use super::fields::Fields;
use crate::envelope::Auth;
use crate::form::{Array, Mismatch, Value, read_value};
use crate::secret::Secret;

/// A robot or a workflow activity of the application, which a workflow has reached.
///
/// Only its [`code`](Self::code) tells a robot from an activity. Respond with any 2xx at once; the
/// platform ignores the response and does not repeat the request. If the workflow
/// [waits](Self::use_subscription), send a [`result`](Self::result) later.
///
/// Documentation pages: *bizproc.robot.add* and *bizproc.activity.add*, which do not describe the
/// body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Robot {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The code with which the application registered the robot or the activity.
    pub code: String,
    /// The document that the workflow runs on.
    pub document: Document,
    /// The token with which to send the result of this step.
    pub event_token: Secret,
    /// The values of the registered properties, by their names in the registered case. All are strings
    /// or lists of strings: `Y` and `N` for a boolean, `user_7` for a user, a file's id for a file, and
    /// **dates in the portal's display format**. A property without a value is an empty string.
    pub properties: Array,
    /// Returns `true` if the workflow waits for a result: `use_subscription` is `Y`. `None` if the key
    /// was not sent, which means that it does not wait.
    pub use_subscription: Option<bool>,
    /// The time that the workflow waits, in seconds. It waits for ever if this is 0.
    pub timeout_duration: u64,
    /// The time of the request by the portal's clock, in unix seconds.
    pub ts: Option<i64>,
    /// The user for whom the application registered the robot, and whose tokens are in
    /// [`auth`](super::Callback::auth). It is not the user who changed the document. `None` if there is
    /// none; then there are no tokens.
    pub user_id: Option<u64>,
}

impl Robot {
    pub(super) fn read(form: &Value, auth: &Auth) -> Result<Self, Mismatch> {
        let fields = Fields(form);
        let use_subscription = fields.filled("use_subscription");
        Ok(Self {
            workflow_id: fields.required("workflow_id")?,
            code: fields.required("code")?,
            document: Document::read(form)?,
            event_token: Secret::new(fields.required("event_token")?),
            properties: fields.array("properties"),
            use_subscription: use_subscription.map(|choice| choice == "Y"),
            timeout_duration: fields.number("timeout_duration").unwrap_or(0),
            ts: fields.number("ts"),
            user_id: auth.user_id(),
        })
    }

    /// Returns `true` if the workflow waits for a result.
    pub fn waits(&self) -> bool {
        self.use_subscription == Some(true)
    }

    /// Returns how long the workflow waits for a result, or `None` if it waits for ever or not at all.
    pub fn timeout(&self) -> Option<Duration> {
        if self.waits() && self.timeout_duration > 0 {
            Some(Duration::from_secs(self.timeout_duration))
        } else {
            None
        }
    }

    /// Deserializes the properties as a `T`, as PHP's forms are read elsewhere in this crate.
    ///
    /// # Errors
    ///
    /// Returns an error if the properties do not fit `T`. The message quotes their values.
    pub fn properties_as<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        read_value(&Value::Array(self.properties.clone()), "properties")
    }

    /// Returns the result of this step as the body of a call of `bizproc.event.send`. The caller sends
    /// it, with any valid token of the application.
    ///
    /// `return_values` have the names of the registered return properties, in any case. The portal
    /// ignores other names. It responds `true` even if it ignores the call, for example because the
    /// step has ended.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tower_bitrix24::ApplicationToken;
    /// use tower_bitrix24::callback::{Callback, CallbackEnvelope, CallbackPayload};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let body = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///             &document_id[2]=DEAL_18&event_token=1.a&use_subscription=Y&auth[application_token]=192735";
    /// let token = ApplicationToken::new("192735")?;
    /// let callback = Callback::verify(CallbackEnvelope::scan(body)?, &token).await?;
    /// let CallbackPayload::Robot(robot) = callback.payload() else { panic!("{callback:?}") };
    ///
    /// let result = robot.result(BTreeMap::from([("track", "LX112")])).log("shipped");
    /// assert_eq!(
    ///     serde_json::to_string(&result.expose())?,
    ///     r#"{"event_token":"1.a","return_values":{"track":"LX112"},"log_message":"shipped"}"#,
    /// );
    /// assert!(!format!("{result:?}").contains("1.a"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result<R: Serialize>(&self, return_values: R) -> RobotResult<R> {
        RobotResult {
            event_token: self.event_token.clone(),
            return_values,
            log_message: None,
        }
    }
}

/// The body of a call of `bizproc.event.send`, from [`Robot::result`].
///
/// Documentation page: *bizproc.event.send*.
#[derive(Clone)]
#[must_use]
pub struct RobotResult<R> {
    event_token: Secret,
    return_values: R,
    log_message: Option<String>,
}

impl<R: Serialize> RobotResult<R> {
    /// Sets a message for the log of the workflow.
    pub fn log(self, message: impl Into<String>) -> Self {
        Self {
            log_message: Some(message.into()),
            ..self
        }
    }

    /// Returns the body for a serializer, with the event token in it. Keep it out of logs.
    pub fn expose(&self) -> impl Serialize + '_ {
        Exposed(self)
    }
}

/// Shows neither the token nor the values.
impl<R> fmt::Debug for RobotResult<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RobotResult")
            .field("event_token", &self.event_token)
            .field("log_message", &self.log_message)
            .finish_non_exhaustive()
    }
}

struct Exposed<'a, R>(&'a RobotResult<R>);

impl<R: Serialize> Serialize for Exposed<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("RobotResult", 3)?;
        body.serialize_field("event_token", self.0.event_token.expose())?;
        body.serialize_field("return_values", &self.0.return_values)?;
        match &self.0.log_message {
            Some(message) => body.serialize_field("log_message", message)?,
            None => body.skip_field("log_message")?,
        }
        body.end()
    }
}
