//! `UnknownKind`: which of the platform's rarer requests a callback without a type is.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::form::Value;

/// The rarer request of the platform that a callback of the kind
/// [`Unknown`](super::CallbackKind::Unknown) seems to be, judged by its keys.
///
/// None of them has an application token. They are delivered only with a
/// [secret in the URL](crate::EventLayer::url_secret), and the sender chooses the keys: this is a hint,
/// not a proof. Give each its own URL instead of relying on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownKind {
    /// A Webhook robot or activity, whose URL an administrator typed: `document_id` alone.
    WebhookRobot,
    /// The `errorHandlerUrl` of a `PAGE_BACKGROUND_WORKER` that was too slow: `error`.
    PlacementError,
    /// A widget of a page that a portal hosts (vibe): `auth[access_token]` and the block's parameters.
    PageWidget,
    /// The form or the checkout of a pay system: `BX_PAYSYSTEM_ID` or `BX_SYSTEM_PARAMS`.
    PaySystem,
    /// A cashbox that prints or checks a receipt: `cashbox_params`, or `uuid` alone.
    Cashbox,
    /// A delivery service, in JSON: `SHIPMENT`, `SHIPMENTS` or `REQUEST_ID`.
    Delivery,
    /// A provider of AI, in JSON: `prompt` with `callbackUrl`.
    AiEngine,
    /// A connector of BI: `connection`.
    BiConnector,
    /// A webhook of a marketing campaign: `list` alone.
    Marketing,
}

impl UnknownKind {
    /// Returns the name in snake case, such as `webhook_robot`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebhookRobot => "webhook_robot",
            Self::PlacementError => "placement_error",
            Self::PageWidget => "page_widget",
            Self::PaySystem => "pay_system",
            Self::Cashbox => "cashbox",
            Self::Delivery => "delivery",
            Self::AiEngine => "ai_engine",
            Self::BiConnector => "bi_connector",
            Self::Marketing => "marketing",
        }
    }

    pub(super) fn of_form(form: &Value, has_access_token: bool) -> Option<Self> {
        let has = |key: &str| form.get(key).is_some();
        let is_only = |key: &str| {
            let array = form.as_array();
            has(key) && array.is_some_and(|array| array.len() == 1)
        };
        if has("BX_PAYSYSTEM_ID") || has("BX_SYSTEM_PARAMS") {
            Some(Self::PaySystem)
        } else if has("connection") {
            Some(Self::BiConnector)
        } else if has("cashbox_params") || is_only("uuid") {
            Some(Self::Cashbox)
        } else if has_access_token {
            Some(Self::PageWidget)
        } else if has("error") && has("error_description") {
            Some(Self::PlacementError)
        } else if is_only("document_id") {
            Some(Self::WebhookRobot)
        } else if is_only("list") {
            Some(Self::Marketing)
        } else {
            None
        }
    }

    pub(super) fn of_json(json: &serde_json::Value) -> Option<Self> {
        let has = |key: &str| json.get(key).is_some();
        if has("prompt") && has("callbackUrl") {
            Some(Self::AiEngine)
        } else if has("SHIPMENT") || has("SHIPMENTS") || has("REQUEST_ID") {
            Some(Self::Delivery)
        } else {
            None
        }
    }
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the name.
impl Serialize for UnknownKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
