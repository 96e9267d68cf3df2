//! The table of the documented events.
//!
//! An event is added by adding its row, under its scope:
//!
//! ```text
//! CrmDealAdd = "ONCRMDEALADD" / "onCrmDealAdd" => fields(ItemId) about "crm.deal" Added,
//!     "A deal was added.", "crm/deals/events/on-crm-deal-add.md";
//! ```
//!
//! that is the variant, the code on the wire and the name in the documentation; where the payload
//! mostly is (`fields`: in `data[FIELDS]`; `data`: in `data` itself), its type, `in Box` if it is
//! large (over 300 bytes), and what it is [about](super::Subject), if that is one object; what the
//! event says, and its page in the documentation below `api-reference/`, unless it has none; and
//! `deprecated`, if the documentation advises against it.
//!
//! An event in another shape is read as well (`shape.rs`), but not as quickly.

use super::kind::catalogue;
use super::payload::*;

catalogue! {
    scope "basic" {
        AppInstall = "ONAPPINSTALL" / "OnAppInstall" => data(AppInstall),
            "The application was installed on a portal.", "common/events/on-app-install.md";
        AppMethodConfirm = "ONAPPMETHODCONFIRM" / "onAppMethodConfirm" => data(AppMethodConfirm),
            "An administrator allowed or rejected a guarded REST method.", "common/events/on-app-method-confirm.md";
        AppPayment = "ONAPPPAYMENT" / "onAppPayment" => data(AppPayment),
            "The application was paid for.", "common/events/on-app-payment.md";
        AppTest = "ONAPPTEST" / "ONAPPTEST" => data(AppTest),
            "A test event, sent by the method event.test.", "events/test-handler.md";
        AppUninstall = "ONAPPUNINSTALL" / "onAppUninstall" => data(AppUninstall),
            "The application was removed from a portal.", "common/events/on-app-uninstall.md";
        AppUpdate = "ONAPPUPDATE" / "OnAppUpdate" => data(AppUpdate),
            "A new version of the application was installed.", "common/events/on-app-update.md";
        AppUserReady = "ONAPPUSERREADY" / "OnAppUserReady" => data(AppUserReady),
            "The application's system user is there: its tokens.", "common/events/on-app-user-ready.md";
        OfflineEvent = "ONOFFLINEEVENT" / "onOfflineEvent" => data(NoData),
            "The queue of offline events got new records.", "events/on-offline-event.md";
        SubscriptionRenew = "ONSUBSCRIPTIONRENEW" / "OnSubscriptionRenew" => data(NoData),
            "The portal's subscription was renewed.";
    }
    scope "user" {
        UserAdd = "ONUSERADD" / "onUserAdd" => data(User) about "user" Added,
            "A new user finished registration on the portal.", "common/events/on-user-add.md";
    }
    scope "crm" {
        CrmActivityAdd = "ONCRMACTIVITYADD" / "onCrmActivityAdd" => fields(ItemId) about "crm.activity" Added,
            "A CRM activity was added.", "crm/timeline/activities/events/on-crm-activity-add.md";
        CrmActivityDelete = "ONCRMACTIVITYDELETE" / "onCrmActivityDelete" => fields(ItemId) about "crm.activity" Deleted,
            "A CRM activity was deleted.", "crm/timeline/activities/events/on-crm-activity-delete.md";
        CrmActivityUpdate = "ONCRMACTIVITYUPDATE" / "onCrmActivityUpdate" => fields(ItemId) about "crm.activity" Updated,
            "A CRM activity was changed.", "crm/timeline/activities/events/on-crm-activity-update.md";
        CrmAddressRegister = "ONCRMADDRESSREGISTER" / "onCrmAddressRegister" => fields(CrmAddress),
            "An address was registered.", "crm/requisites/events/on-crm-address-register.md";
        CrmAddressUnregister = "ONCRMADDRESSUNREGISTER" / "onCrmAddressUnregister" => fields(CrmAddress),
            "An address was removed.", "crm/requisites/events/on-crm-address-unregister.md";
        CrmBankDetailAdd = "ONCRMBANKDETAILADD" / "onCrmBankDetailAdd" => fields(ItemId) about "crm.requisite.bankdetail" Added,
            "A bank detail was added.", "crm/requisites/events/on-crm-bank-detail-add.md";
        CrmBankDetailDelete = "ONCRMBANKDETAILDELETE" / "onCrmBankDetailDelete" => fields(ItemId) about "crm.requisite.bankdetail" Deleted,
            "A bank detail was deleted.", "crm/requisites/events/on-crm-bank-detail-delete.md";
        CrmBankDetailUpdate = "ONCRMBANKDETAILUPDATE" / "onCrmBankDetailUpdate" => fields(ItemId) about "crm.requisite.bankdetail" Updated,
            "A bank detail was changed.", "crm/requisites/events/on-crm-bank-detail-update.md";
        CrmCompanyAdd = "ONCRMCOMPANYADD" / "onCrmCompanyAdd" => fields(ItemId) about "crm.company" Added,
            "A company was added.", "crm/companies/events/on-crm-company-add.md";
        CrmCompanyDelete = "ONCRMCOMPANYDELETE" / "onCrmCompanyDelete" => fields(ItemId) about "crm.company" Deleted,
            "A company was deleted.", "crm/companies/events/on-crm-company-delete.md";
        CrmCompanyUpdate = "ONCRMCOMPANYUPDATE" / "onCrmCompanyUpdate" => fields(ItemId) about "crm.company" Updated,
            "A company was changed.", "crm/companies/events/on-crm-company-update.md";
        CrmCompanyUserFieldAdd = "ONCRMCOMPANYUSERFIELDADD" / "onCrmCompanyUserFieldAdd" => fields(UserField) about "crm.company.userfield" Added,
            "A company custom field was added.", "crm/companies/userfields/events/on-crm-company-user-field-add.md";
        CrmCompanyUserFieldDelete = "ONCRMCOMPANYUSERFIELDDELETE" / "onCrmCompanyUserFieldDelete" => fields(UserField) about "crm.company.userfield" Deleted,
            "A company custom field was deleted.", "crm/companies/userfields/events/on-crm-company-user-field-delete.md";
        CrmCompanyUserFieldSetEnumValues = "ONCRMCOMPANYUSERFIELDSETENUMVALUES" / "onCrmCompanyUserFieldSetEnumValues" => fields(UserField) about "crm.company.userfield" Updated,
            "A company custom field got another set of list values.", "crm/companies/userfields/events/on-crm-company-user-field-set-enum-values.md";
        CrmCompanyUserFieldUpdate = "ONCRMCOMPANYUSERFIELDUPDATE" / "onCrmCompanyUserFieldUpdate" => fields(UserField) about "crm.company.userfield" Updated,
            "A company custom field was changed.", "crm/companies/userfields/events/on-crm-company-user-field-update.md";
        CrmContactAdd = "ONCRMCONTACTADD" / "onCrmContactAdd" => fields(ItemId) about "crm.contact" Added,
            "A contact was added.", "crm/contacts/events/on-crm-contact-add.md";
        CrmContactDelete = "ONCRMCONTACTDELETE" / "onCrmContactDelete" => fields(ItemId) about "crm.contact" Deleted,
            "A contact was deleted.", "crm/contacts/events/on-crm-contact-delete.md";
        CrmContactUpdate = "ONCRMCONTACTUPDATE" / "onCrmContactUpdate" => fields(ItemId) about "crm.contact" Updated,
            "A contact was changed.", "crm/contacts/events/on-crm-contact-update.md";
        CrmContactUserFieldAdd = "ONCRMCONTACTUSERFIELDADD" / "onCrmContactUserFieldAdd" => fields(UserField) about "crm.contact.userfield" Added,
            "A contact custom field was added.", "crm/contacts/userfield/events/on-crm-contact-user-field-add.md";
        CrmContactUserFieldDelete = "ONCRMCONTACTUSERFIELDDELETE" / "onCrmContactUserFieldDelete" => fields(UserField) about "crm.contact.userfield" Deleted,
            "A contact custom field was deleted.", "crm/contacts/userfield/events/on-crm-contact-user-field-delete.md";
        CrmContactUserFieldSetEnumValues = "ONCRMCONTACTUSERFIELDSETENUMVALUES" / "onCrmContactUserFieldSetEnumValues" => fields(UserField) about "crm.contact.userfield" Updated,
            "A contact custom field got another set of list values.", "crm/contacts/userfield/events/on-crm-contact-user-field-set-enum-values.md";
        CrmContactUserFieldUpdate = "ONCRMCONTACTUSERFIELDUPDATE" / "onCrmContactUserFieldUpdate" => fields(UserField) about "crm.contact.userfield" Updated,
            "A contact custom field was changed.", "crm/contacts/userfield/events/on-crm-contact-user-field-update.md";
        CrmCurrencyAdd = "ONCRMCURRENCYADD" / "onCrmCurrencyAdd" => fields(CrmCurrency) about "crm.currency" Added,
            "A CRM currency was added.", "crm/currency/events/on-crm-currency-add.md";
        CrmCurrencyDelete = "ONCRMCURRENCYDELETE" / "onCrmCurrencyDelete" => fields(CrmCurrency) about "crm.currency" Deleted,
            "A CRM currency was deleted.", "crm/currency/events/on-crm-currency-delete.md";
        CrmCurrencyUpdate = "ONCRMCURRENCYUPDATE" / "onCrmCurrencyUpdate" => fields(CrmCurrency) about "crm.currency" Updated,
            "A CRM currency was changed.", "crm/currency/events/on-crm-currency-update.md";
        CrmDealAdd = "ONCRMDEALADD" / "onCrmDealAdd" => fields(ItemId) about "crm.deal" Added,
            "A deal was added.", "crm/deals/events/on-crm-deal-add.md";
        CrmDealDelete = "ONCRMDEALDELETE" / "onCrmDealDelete" => fields(ItemId) about "crm.deal" Deleted,
            "A deal was deleted.", "crm/deals/events/on-crm-deal-delete.md";
        CrmDealMoveToCategory = "ONCRMDEALMOVETOCATEGORY" / "onCrmDealMoveToCategory" => fields(CrmDealMove) about "crm.deal" Updated,
            "A deal went to another sales funnel.", "crm/deals/events/on-crm-deal-move-to-category.md";
        CrmDealRecurringAdd = "ONCRMDEALRECURRINGADD" / "onCrmDealRecurringAdd" => fields(CrmRecurringDeal) about "crm.deal.recurring" Added,
            "A recurring deal template was added.", "crm/deals/recurring-deals/events/on-crm-deal-recurring-add.md";
        CrmDealRecurringDelete = "ONCRMDEALRECURRINGDELETE" / "onCrmDealRecurringDelete" => fields(ItemId) about "crm.deal.recurring" Deleted,
            "A recurring deal template was deleted.", "crm/deals/recurring-deals/events/on-crm-deal-recurring-delete.md";
        CrmDealRecurringExpose = "ONCRMDEALRECURRINGEXPOSE" / "onCrmDealRecurringExpose" => fields(CrmRecurringDealExpose) about "crm.deal" Added,
            "A deal was made from a recurring deal template.", "crm/deals/recurring-deals/events/on-crm-deal-recurring-expose.md";
        CrmDealRecurringUpdate = "ONCRMDEALRECURRINGUPDATE" / "onCrmDealRecurringUpdate" => fields(CrmRecurringDeal) about "crm.deal.recurring" Updated,
            "A recurring deal template was changed.", "crm/deals/recurring-deals/events/on-crm-deal-recurring-update.md";
        CrmDealUpdate = "ONCRMDEALUPDATE" / "onCrmDealUpdate" => fields(ItemId) about "crm.deal" Updated,
            "A deal was changed.", "crm/deals/events/on-crm-deal-update.md";
        CrmDealUserFieldAdd = "ONCRMDEALUSERFIELDADD" / "onCrmDealUserFieldAdd" => fields(UserField) about "crm.deal.userfield" Added,
            "A deal custom field was added.", "crm/deals/user-defined-fields/events/on-crm-deal-user-field-add.md";
        CrmDealUserFieldDelete = "ONCRMDEALUSERFIELDDELETE" / "onCrmDealUserFieldDelete" => fields(UserField) about "crm.deal.userfield" Deleted,
            "A deal custom field was deleted.", "crm/deals/user-defined-fields/events/on-crm-deal-user-field-delete.md";
        CrmDealUserFieldSetEnumValues = "ONCRMDEALUSERFIELDSETENUMVALUES" / "onCrmDealUserFieldSetEnumValues" => fields(UserField) about "crm.deal.userfield" Updated,
            "A deal custom field got another set of list values.", "crm/deals/user-defined-fields/events/on-crm-deal-user-field-set-enum-values.md";
        CrmDealUserFieldUpdate = "ONCRMDEALUSERFIELDUPDATE" / "onCrmDealUserFieldUpdate" => fields(UserField) about "crm.deal.userfield" Updated,
            "A deal custom field was changed.", "crm/deals/user-defined-fields/events/on-crm-deal-user-field-update.md";
        CrmDocumentGeneratorDocumentAdd = "ONCRMDOCUMENTGENERATORDOCUMENTADD" / "onCrmDocumentGeneratorDocumentAdd" => fields(CrmDocument) about "crm.documentgenerator.document" Added,
            "A generated CRM document was added.", "crm/document-generator/documents/events/on-crm-document-generator-document-add.md";
        CrmDocumentGeneratorDocumentDelete = "ONCRMDOCUMENTGENERATORDOCUMENTDELETE" / "onCrmDocumentGeneratorDocumentDelete" => fields(CrmDocument) about "crm.documentgenerator.document" Deleted,
            "A generated CRM document was deleted.", "crm/document-generator/documents/events/on-crm-document-generator-document-delete.md";
        CrmDocumentGeneratorDocumentUpdate = "ONCRMDOCUMENTGENERATORDOCUMENTUPDATE" / "onCrmDocumentGeneratorDocumentUpdate" => fields(CrmDocument) about "crm.documentgenerator.document" Updated,
            "A generated CRM document was changed.", "crm/document-generator/documents/events/on-crm-document-generator-document-update.md";
        CrmDynamicItemAdd = "ONCRMDYNAMICITEMADD" / "onCrmDynamicItemAdd" => fields(CrmDynamicItem) about "crm.item" Added,
            "A smart process item was added.", "crm/universal/events/on-crm-dynamic-item-add.md";
        CrmDynamicItemDelete = "ONCRMDYNAMICITEMDELETE" / "onCrmDynamicItemDelete" => fields(CrmDynamicItem) about "crm.item" Deleted,
            "A smart process item was deleted.", "crm/universal/events/on-crm-dynamic-item-delete.md";
        CrmDynamicItemUpdate = "ONCRMDYNAMICITEMUPDATE" / "onCrmDynamicItemUpdate" => fields(CrmDynamicItem) about "crm.item" Updated,
            "A smart process item was changed.", "crm/universal/events/on-crm-dynamic-item-update.md";
        CrmInvoiceAdd = "ONCRMINVOICEADD" / "onCrmInvoiceAdd" => fields(ItemId) about "crm.invoice" Added,
            "An old-style invoice was added.", "crm/outdated/invoice/events-invoice/on-crm-invoice-add.md", deprecated;
        CrmInvoiceDelete = "ONCRMINVOICEDELETE" / "onCrmInvoiceDelete" => fields(ItemId) about "crm.invoice" Deleted,
            "An old-style invoice was deleted.", "crm/outdated/invoice/events-invoice/on-crm-invoice-delete.md", deprecated;
        CrmInvoiceRecurringAdd = "ONCRMINVOICERECURRINGADD" / "onCrmInvoiceRecurringAdd" => fields(CrmRecurringInvoice) about "crm.invoice.recurring" Added,
            "An old-style recurring invoice was added.", "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-add.md", deprecated;
        CrmInvoiceRecurringDelete = "ONCRMINVOICERECURRINGDELETE" / "onCrmInvoiceRecurringDelete" => fields(ItemId) about "crm.invoice.recurring" Deleted,
            "An old-style recurring invoice was deleted.", "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-delete.md", deprecated;
        CrmInvoiceRecurringExpose = "ONCRMINVOICERECURRINGEXPOSE" / "onCrmInvoiceRecurringExpose" => fields(CrmRecurringInvoiceExpose) about "crm.invoice" Added,
            "An old-style invoice was made from a recurring template.", "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-expose.md", deprecated;
        CrmInvoiceRecurringUpdate = "ONCRMINVOICERECURRINGUPDATE" / "onCrmInvoiceRecurringUpdate" => fields(CrmRecurringInvoice) about "crm.invoice.recurring" Updated,
            "An old-style recurring invoice was changed.", "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-update.md", deprecated;
        CrmInvoiceSetStatus = "ONCRMINVOICESETSTATUS" / "onCrmInvoiceSetStatus" => fields(ItemId) about "crm.invoice" Updated,
            "An old-style invoice got another status.", "crm/outdated/invoice/events-invoice/on-crm-invoice-set-status.md", deprecated;
        CrmInvoiceUpdate = "ONCRMINVOICEUPDATE" / "onCrmInvoiceUpdate" => fields(ItemId) about "crm.invoice" Updated,
            "An old-style invoice was changed.", "crm/outdated/invoice/events-invoice/on-crm-invoice-update.md", deprecated;
        CrmInvoiceUserFieldAdd = "ONCRMINVOICEUSERFIELDADD" / "onCrmInvoiceUserFieldAdd" => fields(InvoiceUserField) about "crm.invoice.userfield" Added,
            "An old-style invoice custom field was added.", "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-add.md", deprecated;
        CrmInvoiceUserFieldDelete = "ONCRMINVOICEUSERFIELDDELETE" / "onCrmInvoiceUserFieldDelete" => fields(InvoiceUserField) about "crm.invoice.userfield" Deleted,
            "An old-style invoice custom field was deleted.", "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-delete.md", deprecated;
        CrmInvoiceUserFieldSetEnumValues = "ONCRMINVOICEUSERFIELDSETENUMVALUES" / "onCrmInvoiceUserFieldSetEnumValues" => fields(InvoiceUserField) about "crm.invoice.userfield" Updated,
            "An old-style invoice custom field got another set of list values.", "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-set-enum-values.md", deprecated;
        CrmInvoiceUserFieldUpdate = "ONCRMINVOICEUSERFIELDUPDATE" / "onCrmInvoiceUserFieldUpdate" => fields(InvoiceUserField) about "crm.invoice.userfield" Updated,
            "An old-style invoice custom field was changed.", "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-update.md", deprecated;
        CrmLeadAdd = "ONCRMLEADADD" / "onCrmLeadAdd" => fields(ItemId) about "crm.lead" Added,
            "A lead was added.", "crm/leads/events/on-crm-lead-add.md";
        CrmLeadDelete = "ONCRMLEADDELETE" / "onCrmLeadDelete" => fields(ItemId) about "crm.lead" Deleted,
            "A lead was deleted.", "crm/leads/events/on-crm-lead-delete.md";
        CrmLeadUpdate = "ONCRMLEADUPDATE" / "onCrmLeadUpdate" => fields(ItemId) about "crm.lead" Updated,
            "A lead was changed.", "crm/leads/events/on-crm-lead-update.md";
        CrmLeadUserFieldAdd = "ONCRMLEADUSERFIELDADD" / "onCrmLeadUserFieldAdd" => fields(UserField) about "crm.lead.userfield" Added,
            "A lead custom field was added.", "crm/leads/userfield/events/on-crm-lead-user-field-add.md";
        CrmLeadUserFieldDelete = "ONCRMLEADUSERFIELDDELETE" / "onCrmLeadUserFieldDelete" => fields(UserField) about "crm.lead.userfield" Deleted,
            "A lead custom field was deleted.", "crm/leads/userfield/events/on-crm-lead-user-field-delete.md";
        CrmLeadUserFieldSetEnumValues = "ONCRMLEADUSERFIELDSETENUMVALUES" / "onCrmLeadUserFieldSetEnumValues" => fields(UserField) about "crm.lead.userfield" Updated,
            "A lead custom field got another set of list values.", "crm/leads/userfield/events/on-crm-lead-user-field-set-enum-values.md";
        CrmLeadUserFieldUpdate = "ONCRMLEADUSERFIELDUPDATE" / "onCrmLeadUserFieldUpdate" => fields(UserField) about "crm.lead.userfield" Updated,
            "A lead custom field was changed.", "crm/leads/userfield/events/on-crm-lead-user-field-update.md";
        CrmMeasureAdd = "ONCRMMEASUREADD" / "onCrmMeasureAdd" => fields(CrmOutdatedItem) about "crm.measure" Added,
            "A CRM unit of measure was added.", "crm/outdated/measure/events/on-crm-measure-add.md", deprecated;
        CrmMeasureDelete = "ONCRMMEASUREDELETE" / "onCrmMeasureDelete" => fields(CrmOutdatedItem) about "crm.measure" Deleted,
            "A CRM unit of measure was deleted.", "crm/outdated/measure/events/on-crm-measure-delete.md", deprecated;
        CrmMeasureUpdate = "ONCRMMEASUREUPDATE" / "onCrmMeasureUpdate" => fields(CrmOutdatedItem) about "crm.measure" Updated,
            "A CRM unit of measure was changed.", "crm/outdated/measure/events/on-crm-measure-update.md", deprecated;
        CrmProductAdd = "ONCRMPRODUCTADD" / "onCrmProductAdd" => fields(ItemId) about "crm.product" Added,
            "A CRM product was added.", "crm/outdated/products/events-custom/on-crm-product-add.md", deprecated;
        CrmProductDelete = "ONCRMPRODUCTDELETE" / "onCrmProductDelete" => fields(ItemId) about "crm.product" Deleted,
            "A CRM product was deleted.", "crm/outdated/products/events-custom/on-crm-product-delete.md", deprecated;
        CrmProductPropertyAdd = "ONCRMPRODUCTPROPERTYADD" / "onCrmProductPropertyAdd" => fields(ItemId) about "crm.product.property" Added,
            "A CRM product property was added.", "crm/outdated/products/events-custom/on-crm-product-property-add.md", deprecated;
        CrmProductPropertyDelete = "ONCRMPRODUCTPROPERTYDELETE" / "onCrmProductPropertyDelete" => fields(ItemId) about "crm.product.property" Deleted,
            "A CRM product property was deleted.", "crm/outdated/products/events-custom/on-crm-product-property-delete.md", deprecated;
        CrmProductPropertyUpdate = "ONCRMPRODUCTPROPERTYUPDATE" / "onCrmProductPropertyUpdate" => fields(ItemId) about "crm.product.property" Updated,
            "A CRM product property was changed.", "crm/outdated/products/events-custom/on-crm-product-property-update.md", deprecated;
        CrmProductSectionAdd = "ONCRMPRODUCTSECTIONADD" / "onCrmProductSectionAdd" => fields(CrmOutdatedItem) about "crm.productsection" Added,
            "A CRM product section was added.", "crm/outdated/product-section/events/on-crm-product-section-add.md", deprecated;
        CrmProductSectionDelete = "ONCRMPRODUCTSECTIONDELETE" / "onCrmProductSectionDelete" => fields(CrmOutdatedItem) about "crm.productsection" Deleted,
            "A CRM product section was deleted.", "crm/outdated/product-section/events/on-crm-product-section-delete.md", deprecated;
        CrmProductSectionUpdate = "ONCRMPRODUCTSECTIONUPDATE" / "onCrmProductSectionUpdate" => fields(CrmOutdatedItem) about "crm.productsection" Updated,
            "A CRM product section was changed.", "crm/outdated/product-section/events/on-crm-product-section-update.md", deprecated;
        CrmProductUpdate = "ONCRMPRODUCTUPDATE" / "onCrmProductUpdate" => fields(ItemId) about "crm.product" Updated,
            "A CRM product was changed.", "crm/outdated/products/events-custom/on-crm-product-update.md", deprecated;
        CrmQuoteAdd = "ONCRMQUOTEADD" / "onCrmQuoteAdd" => fields(ItemId) about "crm.quote" Added,
            "An estimate was added.", "crm/quote/events/on-crm-quote-add.md";
        CrmQuoteDelete = "ONCRMQUOTEDELETE" / "onCrmQuoteDelete" => fields(ItemId) about "crm.quote" Deleted,
            "An estimate was deleted.", "crm/quote/events/on-crm-quote-delete.md";
        CrmQuoteUpdate = "ONCRMQUOTEUPDATE" / "onCrmQuoteUpdate" => fields(ItemId) about "crm.quote" Updated,
            "An estimate was changed.", "crm/quote/events/on-crm-quote-update.md";
        CrmQuoteUserFieldAdd = "ONCRMQUOTEUSERFIELDADD" / "onCrmQuoteUserFieldAdd" => fields(UserField) about "crm.quote.userfield" Added,
            "An estimate custom field was added.", "crm/quote/user-field/events/on-crm-quote-user-field-add.md";
        CrmQuoteUserFieldDelete = "ONCRMQUOTEUSERFIELDDELETE" / "onCrmQuoteUserFieldDelete" => fields(UserField) about "crm.quote.userfield" Deleted,
            "An estimate custom field was deleted.", "crm/quote/user-field/events/on-crm-quote-user-field-delete.md";
        CrmQuoteUserFieldSetEnumValues = "ONCRMQUOTEUSERFIELDSETENUMVALUES" / "onCrmQuoteUserFieldSetEnumValues" => fields(UserField) about "crm.quote.userfield" Updated,
            "An estimate custom field got another set of list values.", "crm/quote/user-field/events/on-crm-quote-user-field-set-enum-values.md";
        CrmQuoteUserFieldUpdate = "ONCRMQUOTEUSERFIELDUPDATE" / "onCrmQuoteUserFieldUpdate" => fields(UserField) about "crm.quote.userfield" Updated,
            "An estimate custom field was changed.", "crm/quote/user-field/events/on-crm-quote-user-field-update.md";
        CrmRequisiteAdd = "ONCRMREQUISITEADD" / "onCrmRequisiteAdd" => fields(ItemId) about "crm.requisite" Added,
            "A requisite was added.", "crm/requisites/events/on-crm-requisite-add.md";
        CrmRequisiteDelete = "ONCRMREQUISITEDELETE" / "onCrmRequisiteDelete" => fields(ItemId) about "crm.requisite" Deleted,
            "A requisite was deleted.", "crm/requisites/events/on-crm-requisite-delete.md";
        CrmRequisiteUpdate = "ONCRMREQUISITEUPDATE" / "onCrmRequisiteUpdate" => fields(ItemId) about "crm.requisite" Updated,
            "A requisite was changed.", "crm/requisites/events/on-crm-requisite-update.md";
        CrmRequisiteUserFieldAdd = "ONCRMREQUISITEUSERFIELDADD" / "onCrmRequisiteUserFieldAdd" => fields(UserField) about "crm.requisite.userfield" Added,
            "A custom field of requisites was added.", "crm/requisites/events/on-crm-requisite-user-field-add.md";
        CrmRequisiteUserFieldDelete = "ONCRMREQUISITEUSERFIELDDELETE" / "onCrmRequisiteUserFieldDelete" => fields(UserField) about "crm.requisite.userfield" Deleted,
            "A custom field of requisites was deleted.", "crm/requisites/events/on-crm-requisite-user-field-delete.md";
        CrmRequisiteUserFieldSetEnumValues = "ONCRMREQUISITEUSERFIELDSETENUMVALUES" / "onCrmRequisiteUserFieldSetEnumValues" => fields(UserField) about "crm.requisite.userfield" Updated,
            "A custom field of requisites got another set of list values.", "crm/requisites/events/on-crm-requisite-user-field-set-enum-values.md";
        CrmRequisiteUserFieldUpdate = "ONCRMREQUISITEUSERFIELDUPDATE" / "onCrmRequisiteUserFieldUpdate" => fields(UserField) about "crm.requisite.userfield" Updated,
            "A custom field of requisites was changed.", "crm/requisites/events/on-crm-requisite-user-field-update.md";
        CrmTimelineCommentAdd = "ONCRMTIMELINECOMMENTADD" / "onCrmTimelineCommentAdd" => fields(ItemId) about "crm.timeline.comment" Added,
            "A CRM timeline comment was added.", "crm/timeline/comments/events/on-Crm-Timeline-Comment-Add.md";
        CrmTimelineCommentDelete = "ONCRMTIMELINECOMMENTDELETE" / "onCrmTimelineCommentDelete" => fields(ItemId) about "crm.timeline.comment" Deleted,
            "A CRM timeline comment was deleted.", "crm/timeline/comments/events/on-Crm-Timeline-Comment-Delete.md";
        CrmTimelineCommentUpdate = "ONCRMTIMELINECOMMENTUPDATE" / "onCrmTimelineCommentUpdate" => fields(ItemId) about "crm.timeline.comment" Updated,
            "A CRM timeline comment was changed.", "crm/timeline/comments/events/on-Crm-Timeline-Comment-Update.md";
        CrmTimelineItemAction = "ONCRMTIMELINEITEMACTION" / "onCrmTimelineItemAction" => data(CrmTimelineAction),
            "A user pressed a restEvent button of a configurable timeline activity.", "crm/timeline/activities/configurable/structure/action.md";
        CrmTypeAdd = "ONCRMTYPEADD" / "onCrmTypeAdd" => fields(ItemId) about "crm.type" Added,
            "A smart process type was added.", "crm/universal/events/type/on-crm-type-add.md";
        CrmTypeDelete = "ONCRMTYPEDELETE" / "onCrmTypeDelete" => fields(ItemId) about "crm.type" Deleted,
            "A smart process type was deleted.", "crm/universal/events/type/on-crm-type-delete.md";
        CrmTypeUpdate = "ONCRMTYPEUPDATE" / "onCrmTypeUpdate" => fields(ItemId) about "crm.type" Updated,
            "A smart process type was changed.", "crm/universal/events/type/on-crm-type-update.md";
        CrmTypeUserFieldAdd = "ONCRMTYPEUSERFIELDADD" / "onCrmTypeUserFieldAdd" => fields(UserField) about "userfieldconfig" Added,
            "A custom field of a smart process, new invoice or sign document was added.", "crm/universal/userfieldconfig/events/on-crm-type-user-field-add.md";
        CrmTypeUserFieldDelete = "ONCRMTYPEUSERFIELDDELETE" / "onCrmTypeUserFieldDelete" => fields(UserField) about "userfieldconfig" Deleted,
            "A custom field of a smart process, new invoice or sign document was deleted.", "crm/universal/userfieldconfig/events/on-crm-type-user-field-delete.md";
        CrmTypeUserFieldSetEnumValues = "ONCRMTYPEUSERFIELDSETENUMVALUES" / "onCrmTypeUserFieldSetEnumValues" => fields(UserField) about "userfieldconfig" Updated,
            "A custom field of a smart process, new invoice or sign document got another set of list values.", "crm/universal/userfieldconfig/events/on-crm-type-user-field-set-enum-values.md";
        CrmTypeUserFieldUpdate = "ONCRMTYPEUSERFIELDUPDATE" / "onCrmTypeUserFieldUpdate" => fields(UserField) about "userfieldconfig" Updated,
            "A custom field of a smart process, new invoice or sign document was changed.", "crm/universal/userfieldconfig/events/on-crm-type-user-field-update.md";
    }
    scope "task" {
        TaskAdd = "ONTASKADD" / "OnTaskAdd" => data(TaskChange) about "tasks.task" Added,
            "A task was added.", "tasks/events-tasks/on-task-add.md";
        TaskCommentAdd = "ONTASKCOMMENTADD" / "OnTaskCommentAdd" => data(TaskCommentAdd) about "task.commentitem" Added,
            "A task comment was added.", "tasks/comment-item/events-comment/on-task-comment-add.md";
        TaskCommentDelete = "ONTASKCOMMENTDELETE" / "OnTaskCommentDelete" => data(TaskCommentChange) about "task.commentitem" Deleted,
            "A task comment was deleted.", "tasks/comment-item/events-comment/on-task-comment-delete.md";
        TaskCommentUpdate = "ONTASKCOMMENTUPDATE" / "OnTaskCommentUpdate" => data(TaskCommentChange) about "task.commentitem" Updated,
            "A task comment was changed.", "tasks/comment-item/events-comment/on-task-comment-update.md";
        TaskDelete = "ONTASKDELETE" / "OnTaskDelete" => data(TaskChange) about "tasks.task" Deleted,
            "A task was deleted.", "tasks/events-tasks/on-task-delete.md";
        TaskUpdate = "ONTASKUPDATE" / "OnTaskUpdate" => data(TaskChange) about "tasks.task" Updated,
            "A task was changed.", "tasks/events-tasks/on-task-update.md";
    }
    scope "calendar" {
        CalendarEntryAdd = "ONCALENDARENTRYADD" / "OnCalendarEntryAdd" => data(CalendarItem) about "calendar.event" Added,
            "A calendar event was added.", "calendar/calendar-event/events/on-calendar-entry-add.md";
        CalendarEntryDelete = "ONCALENDARENTRYDELETE" / "OnCalendarEntryDelete" => data(CalendarItem) about "calendar.event" Deleted,
            "A calendar event was deleted.", "calendar/calendar-event/events/on-calendar-entry-delete.md";
        CalendarEntryUpdate = "ONCALENDARENTRYUPDATE" / "OnCalendarEntryUpdate" => data(CalendarItem) about "calendar.event" Updated,
            "A calendar event was changed.", "calendar/calendar-event/events/on-calendar-entry-update.md";
        CalendarRoomCreate = "ONCALENDARROOMCREATE" / "OnCalendarRoomCreate" => data(CalendarItem) about "calendar.room" Added,
            "A meeting room was added.";
        CalendarRoomDelete = "ONCALENDARROOMDELETE" / "OnCalendarRoomDelete" => data(CalendarItem) about "calendar.room" Deleted,
            "A meeting room was deleted.";
        CalendarRoomUpdate = "ONCALENDARROOMUPDATE" / "OnCalendarRoomUpdate" => data(CalendarItem) about "calendar.room" Updated,
            "A meeting room was changed.";
        CalendarSectionAdd = "ONCALENDARSECTIONADD" / "OnCalendarSectionAdd" => data(CalendarItem) about "calendar.section" Added,
            "A calendar section or resource was added.", "calendar/events/on-calendar-section-add.md";
        CalendarSectionDelete = "ONCALENDARSECTIONDELETE" / "OnCalendarSectionDelete" => data(CalendarItem) about "calendar.section" Deleted,
            "A calendar section or resource was deleted.", "calendar/events/on-calendar-section-delete.md";
        CalendarSectionUpdate = "ONCALENDARSECTIONUPDATE" / "OnCalendarSectionUpdate" => data(CalendarItem) about "calendar.section" Updated,
            "A calendar section or resource was changed.", "calendar/events/on-calendar-section-update.md";
    }
    scope "catalog" {
        CatalogMeasureAdd = "CATALOG.MEASURE.ON.ADD" / "CATALOG.MEASURE.ON.ADD" => fields(ItemId) about "catalog.measure" Added,
            "A catalog unit of measure was added.", "catalog/measure/events/catalog-measure-on-add.md";
        CatalogMeasureDelete = "CATALOG.MEASURE.ON.DELETE" / "CATALOG.MEASURE.ON.DELETE" => fields(ItemId) about "catalog.measure" Deleted,
            "A catalog unit of measure was deleted.", "catalog/measure/events/catalog-measure-on-delete.md";
        CatalogMeasureUpdate = "CATALOG.MEASURE.ON.UPDATE" / "CATALOG.MEASURE.ON.UPDATE" => fields(ItemId) about "catalog.measure" Updated,
            "A catalog unit of measure was changed.", "catalog/measure/events/catalog-measure-on-update.md";
        CatalogPriceAdd = "CATALOG.PRICE.ON.ADD" / "CATALOG.PRICE.ON.ADD" => fields(ItemId) about "catalog.price" Added,
            "A catalog price was added.", "catalog/price/events/catalog-price-on-add.md";
        CatalogPriceDelete = "CATALOG.PRICE.ON.DELETE" / "CATALOG.PRICE.ON.DELETE" => fields(ItemId) about "catalog.price" Deleted,
            "A catalog price was deleted.", "catalog/price/events/catalog-price-on-delete.md";
        CatalogPriceUpdate = "CATALOG.PRICE.ON.UPDATE" / "CATALOG.PRICE.ON.UPDATE" => fields(ItemId) about "catalog.price" Updated,
            "A catalog price was changed.", "catalog/price/events/catalog-price-on-update.md";
        CatalogPriceTypeAdd = "CATALOG.PRICE.TYPE.ON.ADD" / "CATALOG.PRICE.TYPE.ON.ADD" => fields(ItemId) about "catalog.priceType" Added,
            "A catalog price type was added.", "catalog/price-type/events/catalog-price-type-on-add.md";
        CatalogPriceTypeDelete = "CATALOG.PRICE.TYPE.ON.DELETE" / "CATALOG.PRICE.TYPE.ON.DELETE" => fields(ItemId) about "catalog.priceType" Deleted,
            "A catalog price type was deleted.", "catalog/price-type/events/catalog-price-type-on-delete.md";
        CatalogPriceTypeUpdate = "CATALOG.PRICE.TYPE.ON.UPDATE" / "CATALOG.PRICE.TYPE.ON.UPDATE" => fields(ItemId) about "catalog.priceType" Updated,
            "A catalog price type was changed.", "catalog/price-type/events/catalog-price-type-on-update.md";
        CatalogProductAdd = "CATALOG.PRODUCT.ON.ADD" / "CATALOG.PRODUCT.ON.ADD" => fields(CatalogProduct) about "catalog.product" Added,
            "A catalog product was added.", "catalog/product/events/catalog-product-on-add.md";
        CatalogProductDelete = "CATALOG.PRODUCT.ON.DELETE" / "CATALOG.PRODUCT.ON.DELETE" => fields(CatalogProduct) about "catalog.product" Deleted,
            "A catalog product was deleted.", "catalog/product/events/catalog-product-on-delete.md";
        CatalogProductUpdate = "CATALOG.PRODUCT.ON.UPDATE" / "CATALOG.PRODUCT.ON.UPDATE" => fields(CatalogProduct) about "catalog.product" Updated,
            "A catalog product was changed.", "catalog/product/events/catalog-product-on-update.md";
        CatalogRoundingAdd = "CATALOG.ROUNDING.ON.ADD" / "CATALOG.ROUNDING.ON.ADD" => fields(ItemId) about "catalog.roundingRule" Added,
            "A price rounding rule was added.", "catalog/rounding-rule/events/catalog-rounding-on-add.md";
        CatalogRoundingDelete = "CATALOG.ROUNDING.ON.DELETE" / "CATALOG.ROUNDING.ON.DELETE" => fields(ItemId) about "catalog.roundingRule" Deleted,
            "A price rounding rule was deleted.", "catalog/rounding-rule/events/catalog-rounding-on-delete.md";
        CatalogRoundingUpdate = "CATALOG.ROUNDING.ON.UPDATE" / "CATALOG.ROUNDING.ON.UPDATE" => fields(ItemId) about "catalog.roundingRule" Updated,
            "A price rounding rule was changed.", "catalog/rounding-rule/events/catalog-rounding-on-update.md";
    }
    scope "sale" {
        OrderDeleted = "ONORDERDELETED" / "OnOrderDeleted" => fields(ItemId) about "sale.order" Deleted,
            "An order was removed from the database.", "sale/events/on-order-deleted.md";
        OrderEntitySaved = "ONORDERENTITYSAVED" / "OnOrderEntitySaved" => fields(ItemId) about "sale.order" Saved,
            "An order was saved.", "sale/events/on-order-entity-saved.md";
        PaymentDeleted = "ONPAYMENTDELETED" / "OnPaymentDeleted" => fields(ItemId) about "sale.payment" Deleted,
            "A payment was removed from the database.", "sale/events/on-payment-deleted.md";
        PaymentEntitySaved = "ONPAYMENTENTITYSAVED" / "OnPaymentEntitySaved" => fields(ItemId) about "sale.payment" Saved,
            "A payment was saved.", "sale/events/on-payment-entity-saved.md";
        PropertyValueDeleted = "ONPROPERTYVALUEDELETED" / "OnPropertyValueDeleted" => fields(ItemId) about "sale.propertyvalue" Deleted,
            "An order property value was deleted.", "sale/events/on-property-value-deleted.md";
        PropertyValueEntitySaved = "ONPROPERTYVALUEENTITYSAVED" / "OnPropertyValueEntitySaved" => fields(ItemId) about "sale.propertyvalue" Saved,
            "An order property value was saved.", "sale/events/on-property-value-entity-saved.md";
        SaleBeforeOrderDelete = "ONSALEBEFOREORDERDELETE" / "OnSaleBeforeOrderDelete" => fields(SaleOrder) about "sale.order" Deleting,
            "An order is about to be deleted.", "sale/events/on-sale-before-order-delete.md";
        SaleOrderSaved = "ONSALEORDERSAVED" / "OnSaleOrderSaved" => fields(SaleOrder) about "sale.order" Saved,
            "An order with all its parts has been saved.", "sale/events/on-sale-order-saved.md";
        ShipmentDeleted = "ONSHIPMENTDELETED" / "OnShipmentDeleted" => fields(ItemId) about "sale.shipment" Deleted,
            "A shipment was removed from the database.", "sale/events/on-shipment-deleted.md";
        ShipmentEntitySaved = "ONSHIPMENTENTITYSAVED" / "OnShipmentEntitySaved" => fields(ItemId) about "sale.shipment" Saved,
            "A shipment was saved.", "sale/events/on-shipment-entity-saved.md";
    }
    scope "booking" {
        BookingAdd = "ONBOOKINGADD" / "onBookingAdd" => data(ItemId) about "booking.v1.booking" Added,
            "A booking was added.", "booking/booking/events/on-booking-add.md";
        BookingDelete = "ONBOOKINGDELETE" / "onBookingDelete" => data(ItemId) about "booking.v1.booking" Deleted,
            "A booking was deleted.", "booking/booking/events/on-booking-delete.md";
        BookingResourceAdd = "ONBOOKINGRESOURCEADD" / "onBookingResourceAdd" => data(ItemId) about "booking.v1.resource" Added,
            "A booking resource was added.", "booking/resource/events/on-booking-resource-add.md";
        BookingResourceDelete = "ONBOOKINGRESOURCEDELETE" / "onBookingResourceDelete" => data(ItemId) about "booking.v1.resource" Deleted,
            "A booking resource was deleted.", "booking/resource/events/on-booking-resource-delete.md";
        BookingResourceTypeAdd = "ONBOOKINGRESOURCETYPEADD" / "onBookingResourceTypeAdd" => data(ItemId) about "booking.v1.resourceType" Added,
            "A booking resource type was added.", "booking/resource/resource-type/events/on-booking-resource-type-add.md";
        BookingResourceTypeDelete = "ONBOOKINGRESOURCETYPEDELETE" / "onBookingResourceTypeDelete" => data(ItemId) about "booking.v1.resourceType" Deleted,
            "A booking resource type was deleted.", "booking/resource/resource-type/events/on-booking-resource-type-delete.md";
        BookingResourceTypeUpdate = "ONBOOKINGRESOURCETYPEUPDATE" / "onBookingResourceTypeUpdate" => data(ItemId) about "booking.v1.resourceType" Updated,
            "A booking resource type was changed.", "booking/resource/resource-type/events/on-booking-resource-type-update.md";
        BookingResourceUpdate = "ONBOOKINGRESOURCEUPDATE" / "onBookingResourceUpdate" => data(ItemId) about "booking.v1.resource" Updated,
            "A booking resource was changed.", "booking/resource/events/on-booking-resource-update.md";
        BookingUpdate = "ONBOOKINGUPDATE" / "onBookingUpdate" => data(ItemId) about "booking.v1.booking" Updated,
            "A booking was changed.", "booking/booking/events/on-booking-update.md";
        BookingWaitListItemAdd = "ONBOOKINGWAITLISTITEMADD" / "onBookingWaitListItemAdd" => data(ItemId) about "booking.v1.waitlist" Added,
            "A booking wait list entry was added.", "booking/waitlist/events/on-booking-waitlistitem-add.md";
        BookingWaitListItemDelete = "ONBOOKINGWAITLISTITEMDELETE" / "onBookingWaitListItemDelete" => data(ItemId) about "booking.v1.waitlist" Deleted,
            "A booking wait list entry was deleted.", "booking/waitlist/events/on-booking-waitlistitem-delete.md";
        BookingWaitListItemUpdate = "ONBOOKINGWAITLISTITEMUPDATE" / "onBookingWaitListItemUpdate" => data(ItemId) about "booking.v1.waitlist" Updated,
            "A booking wait list entry was changed.", "booking/waitlist/events/on-booking-waitlistitem-update.md";
    }
    scope "telephony" {
        ExternalCallBackStart = "ONEXTERNALCALLBACKSTART" / "OnExternalCallBackStart" => data(ExternalCallback),
            "A visitor asked for a callback in a CRM form.", "telephony/events/on-external-call-back-start.md";
        ExternalCallStart = "ONEXTERNALCALLSTART" / "OnExternalCallStart" => data(ExternalCall) about "telephony.externalcall" Started,
            "A user asked for an outgoing call through the telephony app.", "telephony/events/on-external-call-start.md";
        VoximplantCallEnd = "ONVOXIMPLANTCALLEND" / "OnVoximplantCallEnd" => data(CallEnd) about "voximplant.call" Finished,
            "A call ended and went into the history.", "telephony/voximplant/events/on-voximplant-call-end.md";
        VoximplantCallInit = "ONVOXIMPLANTCALLINIT" / "OnVoximplantCallInit" => data(CallInit) about "voximplant.call" Added,
            "A call was initialized.", "telephony/voximplant/events/on-voximplant-call-init.md";
        VoximplantCallStart = "ONVOXIMPLANTCALLSTART" / "OnVoximplantCallStart" => data(CallStart) about "voximplant.call" Started,
            "A call was answered.", "telephony/voximplant/events/on-voximplant-call-start.md";
    }
    scope "im" {
        ImV2JoinChat = "ONIMV2JOINCHAT" / "ONIMV2JOINCHAT" => data(ImV2JoinChat) in Box,
            "A member was added to a chat.", "chat-bots/chat-bots-v2/im.v2/events/events.md";
        ImV2MessageAdd = "ONIMV2MESSAGEADD" / "ONIMV2MESSAGEADD" => data(ImV2Message) in Box about "im.message" Added,
            "A message came into a chat of the subscribed user.", "chat-bots/chat-bots-v2/im.v2/events/events.md";
        ImV2MessageDelete = "ONIMV2MESSAGEDELETE" / "ONIMV2MESSAGEDELETE" => data(ImV2MessageDelete) in Box about "im.message" Deleted,
            "A chat message of the subscribed user was deleted.", "chat-bots/chat-bots-v2/im.v2/events/events.md";
        ImV2MessageUpdate = "ONIMV2MESSAGEUPDATE" / "ONIMV2MESSAGEUPDATE" => data(ImV2Message) in Box about "im.message" Updated,
            "A chat message of the subscribed user was edited.", "chat-bots/chat-bots-v2/im.v2/events/events.md";
        ImV2ReactionChange = "ONIMV2REACTIONCHANGE" / "ONIMV2REACTIONCHANGE" => data(ImV2Reaction) in Box about "im.message" Updated,
            "A reaction on a chat message was set or taken away.", "chat-bots/chat-bots-v2/im.v2/events/events.md";
    }
    scope "imbot" {
        ImBotContextGet = "ONIMBOTCONTEXTGET" / "ONIMBOTCONTEXTGET" => data(ImBotContext) in Box,
            "A user opened a dialog with a v1 bot passing context data.", "chat-bots/chat-bots-v2/migration.md", deprecated;
        ImBotDelete = "ONIMBOTDELETE" / "ONIMBOTDELETE" => data(ImBotDelete) about "imbot" Deleted,
            "A v1 chat bot was deleted.", "chat-bots/outdated/events/on-imbot-delete.md", deprecated;
        ImBotJoinChat = "ONIMBOTJOINCHAT" / "ONIMBOTJOINCHAT" => data(ImBotJoinChat) in Box,
            "A v1 chat bot was added to a chat.", "chat-bots/outdated/chats/events/on-imbot-join-chat.md", deprecated;
        ImBotMessageAdd = "ONIMBOTMESSAGEADD" / "ONIMBOTMESSAGEADD" => data(ImBotMessageAdd) in Box about "im.message" Added,
            "A user wrote to a v1 chat bot.", "chat-bots/outdated/messages/events/on-imbot-message-add.md", deprecated;
        ImBotMessageDelete = "ONIMBOTMESSAGEDELETE" / "ONIMBOTMESSAGEDELETE" => data(ImBotMessageDelete) in Box about "im.message" Deleted,
            "A message to a v1 chat bot was deleted.", "chat-bots/outdated/messages/events/on-imbot-message-delete.md", deprecated;
        ImBotMessageUpdate = "ONIMBOTMESSAGEUPDATE" / "ONIMBOTMESSAGEUPDATE" => data(ImBotMessageUpdate) in Box about "im.message" Updated,
            "A message to a v1 chat bot was edited.", "chat-bots/outdated/messages/events/on-imbot-message-update.md", deprecated;
        ImBotV2CommandAdd = "ONIMBOTV2COMMANDADD" / "ONIMBOTV2COMMANDADD" => data(ImBotV2Command) in Box,
            "A user called a slash command of a v2 bot.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2ContextGet = "ONIMBOTV2CONTEXTGET" / "ONIMBOTV2CONTEXTGET" => data(ImBotV2Context) in Box,
            "A user opened a dialog with a v2 bot passing context data.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2Delete = "ONIMBOTV2DELETE" / "ONIMBOTV2DELETE" => data(ImBotV2Delete) in Box about "imbot" Deleted,
            "A v2 bot was removed from the portal.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2JoinChat = "ONIMBOTV2JOINCHAT" / "ONIMBOTV2JOINCHAT" => data(ImBotV2JoinChat) in Box,
            "A v2 bot was added to a chat.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2MessageAdd = "ONIMBOTV2MESSAGEADD" / "ONIMBOTV2MESSAGEADD" => data(ImBotV2Message) in Box about "im.message" Added,
            "A user wrote to a v2 bot.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2MessageDelete = "ONIMBOTV2MESSAGEDELETE" / "ONIMBOTV2MESSAGEDELETE" => data(ImBotV2MessageDelete) in Box about "im.message" Deleted,
            "A message in a chat of a v2 bot was deleted.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2MessageUpdate = "ONIMBOTV2MESSAGEUPDATE" / "ONIMBOTV2MESSAGEUPDATE" => data(ImBotV2Message) in Box about "im.message" Updated,
            "A message in a chat of a v2 bot was edited.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImBotV2ReactionChange = "ONIMBOTV2REACTIONCHANGE" / "ONIMBOTV2REACTIONCHANGE" => data(ImBotV2Reaction) in Box about "im.message" Updated,
            "A reaction on a v2 bot message was set or taken away.", "chat-bots/chat-bots-v2/imbot.v2/events/events.md";
        ImCommandAdd = "ONIMCOMMANDADD" / "ONIMCOMMANDADD" => data(ImBotCommand) in Box,
            "A user called a v1 chat bot command.", "chat-bots/outdated/commands/events/on-im-command-add.md", deprecated;
    }
    scope "imopenlines" {
        OpenLineMessageAdd = "ONOPENLINEMESSAGEADD" / "OnOpenLineMessageAdd" => data(OpenLineMessageAdd),
            "An open line chat message was added.", "imopenlines/openlines/events/on-open-line-message-add.md";
        OpenLineMessageDelete = "ONOPENLINEMESSAGEDELETE" / "OnOpenLineMessageDelete" => data(OpenLineMessageChange),
            "An open line chat message was deleted.", "imopenlines/openlines/events/on-open-line-message-delete.md";
        OpenLineMessageUpdate = "ONOPENLINEMESSAGEUPDATE" / "OnOpenLineMessageUpdate" => data(OpenLineMessageChange),
            "An open line chat message was changed.", "imopenlines/openlines/events/on-open-line-message-update.md";
        SessionFinish = "ONSESSIONFINISH" / "OnSessionFinish" => data(OpenLineSession),
            "An open line session ended.", "imopenlines/openlines/events/on-session-finish.md";
        SessionStart = "ONSESSIONSTART" / "OnSessionStart" => data(OpenLineSession),
            "An open line session began.", "imopenlines/openlines/events/on-session-start.md";
    }
    scope "imconnector" {
        ImConnectorDialogFinish = "ONIMCONNECTORDIALOGFINISH" / "OnImConnectorDialogFinish" => data(ConnectorDialog),
            "A connector dialog was closed.", "imopenlines/imconnector/events/on-im-connector-dialog-finish.md";
        ImConnectorDialogStart = "ONIMCONNECTORDIALOGSTART" / "OnImConnectorDialogStart" => data(ConnectorDialog),
            "A connector dialog was opened.", "imopenlines/imconnector/events/on-im-connector-dialog-start.md";
        ImConnectorLineDelete = "ONIMCONNECTORLINEDELETE" / "OnImConnectorLineDelete" => data(ConnectorLineId) about "imopenlines.config" Deleted,
            "An open line was deleted.", "imopenlines/imconnector/events/on-im-connector-line-delete.md";
        ImConnectorMessageAdd = "ONIMCONNECTORMESSAGEADD" / "OnImConnectorMessageAdd" => data(ConnectorMessageAdd),
            "An operator message has to go out through a custom connector.", "imopenlines/imconnector/events/on-im-connector-message-add.md";
        ImConnectorMessageDelete = "ONIMCONNECTORMESSAGEDELETE" / "OnImConnectorMessageDelete" => data(ConnectorMessageDelete),
            "An operator deleted a message sent through a custom connector.", "imopenlines/imconnector/events/on-im-connector-message-delete.md";
        ImConnectorMessageUpdate = "ONIMCONNECTORMESSAGEUPDATE" / "OnImConnectorMessageUpdate" => data(ConnectorMessageUpdate),
            "An operator changed a message sent through a custom connector.", "imopenlines/imconnector/events/on-im-connector-message-update.md";
        ImConnectorStatusDelete = "ONIMCONNECTORSTATUSDELETE" / "OnImConnectorStatusDelete" => data(ConnectorStatus),
            "A connector was switched off on an open line.", "imopenlines/imconnector/events/on-im-connector-status-delete.md";
    }
    scope "log" {
        LiveFeedPostAdd = "ONLIVEFEEDPOSTADD" / "OnLiveFeedPostAdd" => fields(FeedPost) about "log.blogpost" Added,
            "A feed post was added.", "log/events/on-live-feed-post-add.md";
        LiveFeedPostDelete = "ONLIVEFEEDPOSTDELETE" / "OnLiveFeedPostDelete" => fields(FeedPost) about "log.blogpost" Deleted,
            "A feed post was deleted.", "log/events/on-live-feed-post-delete.md";
        LiveFeedPostUpdate = "ONLIVEFEEDPOSTUPDATE" / "OnLiveFeedPostUpdate" => fields(FeedPost) about "log.blogpost" Updated,
            "A feed post was changed.", "log/events/on-live-feed-post-update.md";
    }
    scope "sonet" {
        SonetGroupAdd = "ONSONETGROUPADD" / "onSonetGroupAdd" => fields(ItemId) about "sonet_group" Added,
            "A workgroup or project was added.", "sonet-group/events/on-sonet-group-add.md";
        SonetGroupDelete = "ONSONETGROUPDELETE" / "onSonetGroupDelete" => fields(ItemId) about "sonet_group" Deleted,
            "A workgroup or project was deleted.", "sonet-group/events/on-sonet-group-delete.md";
        SonetGroupSubjectAdd = "ONSONETGROUPSUBJECTADD" / "onSonetGroupSubjectAdd" => fields(ItemId) about "sonet_group.subject" Added,
            "A workgroup topic was added.", "sonet-group/outdated/on-sonet-group-subject-add.md", deprecated;
        SonetGroupSubjectDelete = "ONSONETGROUPSUBJECTDELETE" / "onSonetGroupSubjectDelete" => fields(ItemId) about "sonet_group.subject" Deleted,
            "A workgroup topic was deleted.", "sonet-group/outdated/on-sonet-group-subject-delete.md", deprecated;
        SonetGroupSubjectUpdate = "ONSONETGROUPSUBJECTUPDATE" / "onSonetGroupSubjectUpdate" => fields(ItemId) about "sonet_group.subject" Updated,
            "A workgroup topic was changed.", "sonet-group/outdated/on-sonet-group-subject-update.md", deprecated;
        SonetGroupUpdate = "ONSONETGROUPUPDATE" / "onSonetGroupUpdate" => fields(ItemId) about "sonet_group" Updated,
            "A workgroup or project was changed.", "sonet-group/events/on-sonet-group-update.md";
    }
    scope "sign.b2e" {
        SignB2eDocumentStatusChanged = "ONSIGNB2EDOCUMENTSTATUSCHANGED" / "OnSignB2eDocumentStatusChanged" => data(SignDocumentStatus) about "sign.b2e.document" Updated,
            "An HR e-signature document got another status.", "sign/events/on-sign-b2e-document-status-changed.md";
        SignB2eMemberStatusChanged = "ONSIGNB2EMEMBERSTATUSCHANGED" / "OnSignB2eMemberStatusChanged" => data(SignMemberStatus) about "sign.b2e.member" Updated,
            "A signer of an HR document got another status.", "sign/events/on-sign-b2e-member-status-changed.md";
        SignHcmLinkB2eDocumentSigned = "ONSIGNHCMLINKB2EDOCUMENTSIGNED" / "OnSignHcmLinkB2eDocumentSigned" => data(SignHcmLinkDocument) about "sign.b2e.hcmlink.document" Updated,
            "An HR document tied to HCM Link was signed.", "sign/events/on-sign-hcm-link-b2e-document-signed.md";
    }
    scope "humanresources.hcmlink" {
        HumanResourcesHcmLinkEmployeeListMapped = "ONHUMANRESOURCESHCMLINKEMPLOYEELISTMAPPED" / "OnHumanResourcesHcmLinkEmployeeListMapped" => data(HcmLinkJob) about "humanresources.hcmlink.job" Added,
            "Users were mapped to people of the HR system.", "sign/hcm-link/index.md";
        HumanResourcesHcmLinkEmployeeListRequested = "ONHUMANRESOURCESHCMLINKEMPLOYEELISTREQUESTED" / "OnHumanResourcesHcmLinkEmployeeListRequested" => data(HcmLinkJob) about "humanresources.hcmlink.job" Added,
            "Bitrix24 asks the HR system for the employee list.", "sign/hcm-link/index.md";
        HumanResourcesHcmLinkFieldValueRequested = "ONHUMANRESOURCESHCMLINKFIELDVALUEREQUESTED" / "OnHumanResourcesHcmLinkFieldValueRequested" => data(HcmLinkFieldValues) about "humanresources.hcmlink.job" Added,
            "Bitrix24 asks for field values for an HR document.", "sign/hcm-link/index.md";
        HumanResourcesHcmLinkPinRequested = "ONHUMANRESOURCESHCMLINKPINREQUESTED" / "OnHumanResourcesHcmLinkPinRequested" => data(HcmLinkJob) about "humanresources.hcmlink.job" Added,
            "Bitrix24 asks the HR system for a PIN.", "sign/hcm-link/index.md";
        HumanResourcesHcmLinkSalaryVacationRequested = "ONHUMANRESOURCESHCMLINKSALARYVACATIONREQUESTED" / "OnHumanResourcesHcmLinkSalaryVacationRequested" => data(HcmLinkJob) about "humanresources.hcmlink.job" Added,
            "Bitrix24 asks the HR system for salary and vacation data.", "sign/hcm-link/index.md";
    }
    scope "userfieldconfig" {
        MainUserTypeAdd = "MAIN.ON.USER.TYPE.ADD" / "main.on.user.type.add" => fields(ItemId) about "userfieldconfig" Added,
            "A custom field of any object was added.";
        MainUserTypeDelete = "MAIN.ON.USER.TYPE.DELETE" / "main.on.user.type.delete" => fields(ItemId) about "userfieldconfig" Deleted,
            "A custom field of any object was deleted.";
        MainUserTypeUpdate = "MAIN.ON.USER.TYPE.UPDATE" / "main.on.user.type.update" => fields(ItemId) about "userfieldconfig" Updated,
            "A custom field of any object was changed.";
    }
}
