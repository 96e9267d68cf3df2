//! Payloads of the scope `sale`.

use serde::{Deserialize, Serialize};

use crate::macros::open_enum;

/// An order of the online store. Documentation pages: *OnSaleOrderSaved* and
/// *OnSaleBeforeOrderDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct SaleOrder {
    /// The order's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The order's id in an external system (`XML_ID`), or empty.
    #[serde(rename = "XML_ID")]
    pub xml_id: Option<String>,
    /// The change of the order (`ACTION`).
    #[serde(rename = "ACTION")]
    pub action: Option<OrderAction>,
}

open_enum! {
    /// The change of an order (`ACTION`).
    ///
    /// Documentation pages: *OnSaleOrderSaved* and *OnSaleBeforeOrderDelete*.
    OrderAction {
        /// The order was saved with all its parts.
        Save = "save",
        /// The order is about to be deleted.
        Delete = "delete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn order_samples_are_typed() {
        let codes = ["ONSALEORDERSAVED", "ONSALEBEFOREORDERDELETE"];
        let orders = samples::read(&codes, FormReader::fields::<SaleOrder>);
        assert!(orders.iter().all(|order| order.id == 300));
        assert!(
            orders
                .iter()
                .all(|order| order.xml_id.as_deref() == Some(""))
        );
        let actions = orders.into_iter().map(|order| order.action);
        assert!(actions.eq([Some(OrderAction::Save), Some(OrderAction::Delete)]));
    }
}
