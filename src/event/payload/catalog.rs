//! Payloads of the scope `catalog`: products, prices, stores.

use serde::{Deserialize, Serialize};

use crate::macros::open_enum;

/// A product, a variation or a service of the product catalog. Documentation pages:
/// *CATALOG.PRODUCT.ON.ADD*, *CATALOG.PRODUCT.ON.UPDATE* and *CATALOG.PRODUCT.ON.DELETE*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct CatalogProduct {
    /// The product's id (`ID`).
    #[serde(rename = "ID")]
    pub id: u64,
    /// The kind of product (`TYPE`), which determines the method that reads it.
    #[serde(rename = "TYPE")]
    pub product_type: Option<ProductType>,
}

open_enum! {
    /// The kind of a product in the catalog (`TYPE`).
    ///
    /// Documentation page: *CATALOG.PRODUCT.ON.ADD*.
    ProductType {
        /// A simple product, read with `catalog.product.get`.
        Simple = "1",
        /// A parent product with variations, read with `catalog.product.sku.get`.
        Parent = "3",
        /// A variation, read with `catalog.product.offer.get`.
        Variation = "4",
        /// A variation without a product.
        VariationWithoutProduct = "5",
        /// A parent product without variations.
        ParentWithoutVariations = "6",
        /// A service, read with `catalog.product.service.get`.
        Service = "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn product_samples_are_typed() {
        let codes = [
            "CATALOG.PRODUCT.ON.ADD",
            "CATALOG.PRODUCT.ON.DELETE",
            "CATALOG.PRODUCT.ON.UPDATE",
        ];
        for product in samples::read(&codes, FormReader::fields::<CatalogProduct>) {
            assert_eq!(
                (product.id, product.product_type),
                (1, Some(ProductType::Simple))
            );
        }
    }

    #[test]
    fn product_of_an_unknown_type_is_typed() {
        let form = "event=CATALOG.PRODUCT.ON.ADD&data[FIELDS][ID]=1&data[FIELDS][TYPE]=2";
        let product: CatalogProduct = samples::data(form).fields().unwrap();
        assert_eq!(product.product_type, Some(ProductType::Other("2".into())));
    }
}
