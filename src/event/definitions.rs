//! The table of the documented events.
//!
//! An event is added by adding its row, under its scope:
//!
//! ```text
//! CrmDealAdd {
//!     code: "ONCRMDEALADD", name: "onCrmDealAdd", payload: fields(ItemId), subject: CRM_DEAL Added,
//!     doc: "A deal was added.", page: "crm/deals/events/on-crm-deal-add.md",
//! }
//! ```
//!
//! | column | meaning |
//! |---|---|
//! | `code` | The code on the wire: `name` in upper case. |
//! | `name` | The name in the documentation. |
//! | `payload` | The payload's type, and where it usually is: in `data[FIELDS]` (`fields`) or in `data` itself (`data`). The other place is read too, but more slowly. |
//! | `subject` | The [entity](super::entity) of the [`Subject`](super::Subject) and what happened to it, if the event is about one object. |
//! | `doc` | What the event reports. |
//! | `page` | The page in the documentation below `api-reference/`, if there is one. |
//! | `status` | `deprecated` if the documentation advises against the event. |
//!
//! [`macros`](super::macros) expands the table.

/// Passes the table to the macro `$expand`.
macro_rules! definitions {
    ($expand:ident) => {
        $expand! {
            scope "basic" {
                AppInstall {
                    code: "ONAPPINSTALL", name: "OnAppInstall", payload: data(AppInstall),
                    doc: "The application was installed on a portal.",
                    page: "common/events/on-app-install.md",
                }
                AppMethodConfirm {
                    code: "ONAPPMETHODCONFIRM", name: "onAppMethodConfirm",
                    payload: data(AppMethodConfirm),
                    doc: "An administrator allowed or rejected a guarded REST method.",
                    page: "common/events/on-app-method-confirm.md",
                }
                AppPayment {
                    code: "ONAPPPAYMENT", name: "onAppPayment", payload: data(AppPayment),
                    doc: "The application was paid for.", page: "common/events/on-app-payment.md",
                }
                AppTest {
                    code: "ONAPPTEST", name: "ONAPPTEST", payload: data(AppTest),
                    doc: "A test event, sent by the method event.test.",
                    page: "events/test-handler.md",
                }
                AppUninstall {
                    code: "ONAPPUNINSTALL", name: "onAppUninstall", payload: data(AppUninstall),
                    doc: "The application was removed from a portal.",
                    page: "common/events/on-app-uninstall.md",
                }
                AppUpdate {
                    code: "ONAPPUPDATE", name: "OnAppUpdate", payload: data(AppUpdate),
                    doc: "A new version of the application was installed.",
                    page: "common/events/on-app-update.md",
                }
                AppUserReady {
                    code: "ONAPPUSERREADY", name: "OnAppUserReady", payload: data(AppUserReady),
                    doc: "The application's system user is there: its tokens.",
                    page: "common/events/on-app-user-ready.md",
                }
                OfflineEvent {
                    code: "ONOFFLINEEVENT", name: "onOfflineEvent", payload: data(NoData),
                    doc: "The queue of offline events got new records.",
                    page: "events/on-offline-event.md",
                }
                SubscriptionRenew {
                    code: "ONSUBSCRIPTIONRENEW", name: "OnSubscriptionRenew", payload: data(NoData),
                    doc: "The portal's subscription was renewed.",
                }
            }
            scope "user" {
                UserAdd {
                    code: "ONUSERADD", name: "onUserAdd", payload: data(User),
                    subject: USER Added,
                    doc: "A new user finished registration on the portal.",
                    page: "common/events/on-user-add.md",
                }
            }
            scope "crm" {
                CrmActivityAdd {
                    code: "ONCRMACTIVITYADD", name: "onCrmActivityAdd", payload: fields(ItemId),
                    subject: CRM_ACTIVITY Added,
                    doc: "A CRM activity was added.",
                    page: "crm/timeline/activities/events/on-crm-activity-add.md",
                }
                CrmActivityDelete {
                    code: "ONCRMACTIVITYDELETE", name: "onCrmActivityDelete",
                    payload: fields(ItemId), subject: CRM_ACTIVITY Deleted,
                    doc: "A CRM activity was deleted.",
                    page: "crm/timeline/activities/events/on-crm-activity-delete.md",
                }
                CrmActivityUpdate {
                    code: "ONCRMACTIVITYUPDATE", name: "onCrmActivityUpdate",
                    payload: fields(ItemId), subject: CRM_ACTIVITY Updated,
                    doc: "A CRM activity was changed.",
                    page: "crm/timeline/activities/events/on-crm-activity-update.md",
                }
                CrmAddressRegister {
                    code: "ONCRMADDRESSREGISTER", name: "onCrmAddressRegister",
                    payload: fields(CrmAddress),
                    doc: "An address was registered.",
                    page: "crm/requisites/events/on-crm-address-register.md",
                }
                CrmAddressUnregister {
                    code: "ONCRMADDRESSUNREGISTER", name: "onCrmAddressUnregister",
                    payload: fields(CrmAddress),
                    doc: "An address was removed.",
                    page: "crm/requisites/events/on-crm-address-unregister.md",
                }
                CrmBankDetailAdd {
                    code: "ONCRMBANKDETAILADD", name: "onCrmBankDetailAdd", payload: fields(ItemId),
                    subject: CRM_REQUISITE_BANKDETAIL Added,
                    doc: "A bank detail was added.",
                    page: "crm/requisites/events/on-crm-bank-detail-add.md",
                }
                CrmBankDetailDelete {
                    code: "ONCRMBANKDETAILDELETE", name: "onCrmBankDetailDelete",
                    payload: fields(ItemId), subject: CRM_REQUISITE_BANKDETAIL Deleted,
                    doc: "A bank detail was deleted.",
                    page: "crm/requisites/events/on-crm-bank-detail-delete.md",
                }
                CrmBankDetailUpdate {
                    code: "ONCRMBANKDETAILUPDATE", name: "onCrmBankDetailUpdate",
                    payload: fields(ItemId), subject: CRM_REQUISITE_BANKDETAIL Updated,
                    doc: "A bank detail was changed.",
                    page: "crm/requisites/events/on-crm-bank-detail-update.md",
                }
                CrmCompanyAdd {
                    code: "ONCRMCOMPANYADD", name: "onCrmCompanyAdd", payload: fields(ItemId),
                    subject: CRM_COMPANY Added,
                    doc: "A company was added.", page: "crm/companies/events/on-crm-company-add.md",
                }
                CrmCompanyDelete {
                    code: "ONCRMCOMPANYDELETE", name: "onCrmCompanyDelete", payload: fields(ItemId),
                    subject: CRM_COMPANY Deleted,
                    doc: "A company was deleted.",
                    page: "crm/companies/events/on-crm-company-delete.md",
                }
                CrmCompanyUpdate {
                    code: "ONCRMCOMPANYUPDATE", name: "onCrmCompanyUpdate", payload: fields(ItemId),
                    subject: CRM_COMPANY Updated,
                    doc: "A company was changed.",
                    page: "crm/companies/events/on-crm-company-update.md",
                }
                CrmCompanyUserFieldAdd {
                    code: "ONCRMCOMPANYUSERFIELDADD", name: "onCrmCompanyUserFieldAdd",
                    payload: fields(UserField), subject: CRM_COMPANY_USERFIELD Added,
                    doc: "A company custom field was added.",
                    page: "crm/companies/userfields/events/on-crm-company-user-field-add.md",
                }
                CrmCompanyUserFieldDelete {
                    code: "ONCRMCOMPANYUSERFIELDDELETE", name: "onCrmCompanyUserFieldDelete",
                    payload: fields(UserField), subject: CRM_COMPANY_USERFIELD Deleted,
                    doc: "A company custom field was deleted.",
                    page: "crm/companies/userfields/events/on-crm-company-user-field-delete.md",
                }
                CrmCompanyUserFieldSetEnumValues {
                    code: "ONCRMCOMPANYUSERFIELDSETENUMVALUES",
                    name: "onCrmCompanyUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_COMPANY_USERFIELD Updated,
                    doc: "A company custom field got another set of list values.",
                    page: "crm/companies/userfields/events/on-crm-company-user-field-set-enum-values.md",
                }
                CrmCompanyUserFieldUpdate {
                    code: "ONCRMCOMPANYUSERFIELDUPDATE", name: "onCrmCompanyUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_COMPANY_USERFIELD Updated,
                    doc: "A company custom field was changed.",
                    page: "crm/companies/userfields/events/on-crm-company-user-field-update.md",
                }
                CrmContactAdd {
                    code: "ONCRMCONTACTADD", name: "onCrmContactAdd", payload: fields(ItemId),
                    subject: CRM_CONTACT Added,
                    doc: "A contact was added.", page: "crm/contacts/events/on-crm-contact-add.md",
                }
                CrmContactDelete {
                    code: "ONCRMCONTACTDELETE", name: "onCrmContactDelete", payload: fields(ItemId),
                    subject: CRM_CONTACT Deleted,
                    doc: "A contact was deleted.",
                    page: "crm/contacts/events/on-crm-contact-delete.md",
                }
                CrmContactUpdate {
                    code: "ONCRMCONTACTUPDATE", name: "onCrmContactUpdate", payload: fields(ItemId),
                    subject: CRM_CONTACT Updated,
                    doc: "A contact was changed.",
                    page: "crm/contacts/events/on-crm-contact-update.md",
                }
                CrmContactUserFieldAdd {
                    code: "ONCRMCONTACTUSERFIELDADD", name: "onCrmContactUserFieldAdd",
                    payload: fields(UserField), subject: CRM_CONTACT_USERFIELD Added,
                    doc: "A contact custom field was added.",
                    page: "crm/contacts/userfield/events/on-crm-contact-user-field-add.md",
                }
                CrmContactUserFieldDelete {
                    code: "ONCRMCONTACTUSERFIELDDELETE", name: "onCrmContactUserFieldDelete",
                    payload: fields(UserField), subject: CRM_CONTACT_USERFIELD Deleted,
                    doc: "A contact custom field was deleted.",
                    page: "crm/contacts/userfield/events/on-crm-contact-user-field-delete.md",
                }
                CrmContactUserFieldSetEnumValues {
                    code: "ONCRMCONTACTUSERFIELDSETENUMVALUES",
                    name: "onCrmContactUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_CONTACT_USERFIELD Updated,
                    doc: "A contact custom field got another set of list values.",
                    page: "crm/contacts/userfield/events/on-crm-contact-user-field-set-enum-values.md",
                }
                CrmContactUserFieldUpdate {
                    code: "ONCRMCONTACTUSERFIELDUPDATE", name: "onCrmContactUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_CONTACT_USERFIELD Updated,
                    doc: "A contact custom field was changed.",
                    page: "crm/contacts/userfield/events/on-crm-contact-user-field-update.md",
                }
                CrmCurrencyAdd {
                    code: "ONCRMCURRENCYADD", name: "onCrmCurrencyAdd",
                    payload: fields(CrmCurrency), subject: CRM_CURRENCY Added,
                    doc: "A CRM currency was added.",
                    page: "crm/currency/events/on-crm-currency-add.md",
                }
                CrmCurrencyDelete {
                    code: "ONCRMCURRENCYDELETE", name: "onCrmCurrencyDelete",
                    payload: fields(CrmCurrency), subject: CRM_CURRENCY Deleted,
                    doc: "A CRM currency was deleted.",
                    page: "crm/currency/events/on-crm-currency-delete.md",
                }
                CrmCurrencyUpdate {
                    code: "ONCRMCURRENCYUPDATE", name: "onCrmCurrencyUpdate",
                    payload: fields(CrmCurrency), subject: CRM_CURRENCY Updated,
                    doc: "A CRM currency was changed.",
                    page: "crm/currency/events/on-crm-currency-update.md",
                }
                CrmDealAdd {
                    code: "ONCRMDEALADD", name: "onCrmDealAdd", payload: fields(ItemId),
                    subject: CRM_DEAL Added,
                    doc: "A deal was added.", page: "crm/deals/events/on-crm-deal-add.md",
                }
                CrmDealDelete {
                    code: "ONCRMDEALDELETE", name: "onCrmDealDelete", payload: fields(ItemId),
                    subject: CRM_DEAL Deleted,
                    doc: "A deal was deleted.", page: "crm/deals/events/on-crm-deal-delete.md",
                }
                CrmDealMoveToCategory {
                    code: "ONCRMDEALMOVETOCATEGORY", name: "onCrmDealMoveToCategory",
                    payload: fields(CrmDealMove), subject: CRM_DEAL Updated,
                    doc: "A deal went to another sales funnel.",
                    page: "crm/deals/events/on-crm-deal-move-to-category.md",
                }
                CrmDealRecurringAdd {
                    code: "ONCRMDEALRECURRINGADD", name: "onCrmDealRecurringAdd",
                    payload: fields(CrmRecurringDeal), subject: CRM_DEAL_RECURRING Added,
                    doc: "A recurring deal template was added.",
                    page: "crm/deals/recurring-deals/events/on-crm-deal-recurring-add.md",
                }
                CrmDealRecurringDelete {
                    code: "ONCRMDEALRECURRINGDELETE", name: "onCrmDealRecurringDelete",
                    payload: fields(ItemId), subject: CRM_DEAL_RECURRING Deleted,
                    doc: "A recurring deal template was deleted.",
                    page: "crm/deals/recurring-deals/events/on-crm-deal-recurring-delete.md",
                }
                CrmDealRecurringExpose {
                    code: "ONCRMDEALRECURRINGEXPOSE", name: "onCrmDealRecurringExpose",
                    payload: fields(CrmRecurringDealExpose), subject: CRM_DEAL Added,
                    doc: "A deal was made from a recurring deal template.",
                    page: "crm/deals/recurring-deals/events/on-crm-deal-recurring-expose.md",
                }
                CrmDealRecurringUpdate {
                    code: "ONCRMDEALRECURRINGUPDATE", name: "onCrmDealRecurringUpdate",
                    payload: fields(CrmRecurringDeal), subject: CRM_DEAL_RECURRING Updated,
                    doc: "A recurring deal template was changed.",
                    page: "crm/deals/recurring-deals/events/on-crm-deal-recurring-update.md",
                }
                CrmDealUpdate {
                    code: "ONCRMDEALUPDATE", name: "onCrmDealUpdate", payload: fields(ItemId),
                    subject: CRM_DEAL Updated,
                    doc: "A deal was changed.", page: "crm/deals/events/on-crm-deal-update.md",
                }
                CrmDealUserFieldAdd {
                    code: "ONCRMDEALUSERFIELDADD", name: "onCrmDealUserFieldAdd",
                    payload: fields(UserField), subject: CRM_DEAL_USERFIELD Added,
                    doc: "A deal custom field was added.",
                    page: "crm/deals/user-defined-fields/events/on-crm-deal-user-field-add.md",
                }
                CrmDealUserFieldDelete {
                    code: "ONCRMDEALUSERFIELDDELETE", name: "onCrmDealUserFieldDelete",
                    payload: fields(UserField), subject: CRM_DEAL_USERFIELD Deleted,
                    doc: "A deal custom field was deleted.",
                    page: "crm/deals/user-defined-fields/events/on-crm-deal-user-field-delete.md",
                }
                CrmDealUserFieldSetEnumValues {
                    code: "ONCRMDEALUSERFIELDSETENUMVALUES",
                    name: "onCrmDealUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_DEAL_USERFIELD Updated,
                    doc: "A deal custom field got another set of list values.",
                    page: "crm/deals/user-defined-fields/events/on-crm-deal-user-field-set-enum-values.md",
                }
                CrmDealUserFieldUpdate {
                    code: "ONCRMDEALUSERFIELDUPDATE", name: "onCrmDealUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_DEAL_USERFIELD Updated,
                    doc: "A deal custom field was changed.",
                    page: "crm/deals/user-defined-fields/events/on-crm-deal-user-field-update.md",
                }
                CrmDocumentGeneratorDocumentAdd {
                    code: "ONCRMDOCUMENTGENERATORDOCUMENTADD",
                    name: "onCrmDocumentGeneratorDocumentAdd", payload: fields(CrmDocument),
                    subject: CRM_DOCUMENTGENERATOR_DOCUMENT Added,
                    doc: "A generated CRM document was added.",
                    page: "crm/document-generator/documents/events/on-crm-document-generator-document-add.md",
                }
                CrmDocumentGeneratorDocumentDelete {
                    code: "ONCRMDOCUMENTGENERATORDOCUMENTDELETE",
                    name: "onCrmDocumentGeneratorDocumentDelete", payload: fields(CrmDocument),
                    subject: CRM_DOCUMENTGENERATOR_DOCUMENT Deleted,
                    doc: "A generated CRM document was deleted.",
                    page: "crm/document-generator/documents/events/on-crm-document-generator-document-delete.md",
                }
                CrmDocumentGeneratorDocumentUpdate {
                    code: "ONCRMDOCUMENTGENERATORDOCUMENTUPDATE",
                    name: "onCrmDocumentGeneratorDocumentUpdate", payload: fields(CrmDocument),
                    subject: CRM_DOCUMENTGENERATOR_DOCUMENT Updated,
                    doc: "A generated CRM document was changed.",
                    page: "crm/document-generator/documents/events/on-crm-document-generator-document-update.md",
                }
                CrmDynamicItemAdd {
                    code: "ONCRMDYNAMICITEMADD", name: "onCrmDynamicItemAdd",
                    payload: fields(CrmDynamicItem), subject: CRM_ITEM Added,
                    doc: "A smart process item was added.",
                    page: "crm/universal/events/on-crm-dynamic-item-add.md",
                }
                CrmDynamicItemDelete {
                    code: "ONCRMDYNAMICITEMDELETE", name: "onCrmDynamicItemDelete",
                    payload: fields(CrmDynamicItem), subject: CRM_ITEM Deleted,
                    doc: "A smart process item was deleted.",
                    page: "crm/universal/events/on-crm-dynamic-item-delete.md",
                }
                CrmDynamicItemUpdate {
                    code: "ONCRMDYNAMICITEMUPDATE", name: "onCrmDynamicItemUpdate",
                    payload: fields(CrmDynamicItem), subject: CRM_ITEM Updated,
                    doc: "A smart process item was changed.",
                    page: "crm/universal/events/on-crm-dynamic-item-update.md",
                }
                CrmInvoiceAdd {
                    code: "ONCRMINVOICEADD", name: "onCrmInvoiceAdd", payload: fields(ItemId),
                    subject: CRM_INVOICE Added,
                    doc: "An old-style invoice was added.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-add.md", status: deprecated,
                }
                CrmInvoiceDelete {
                    code: "ONCRMINVOICEDELETE", name: "onCrmInvoiceDelete", payload: fields(ItemId),
                    subject: CRM_INVOICE Deleted,
                    doc: "An old-style invoice was deleted.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-delete.md",
                    status: deprecated,
                }
                CrmInvoiceRecurringAdd {
                    code: "ONCRMINVOICERECURRINGADD", name: "onCrmInvoiceRecurringAdd",
                    payload: fields(CrmRecurringInvoice), subject: CRM_INVOICE_RECURRING Added,
                    doc: "An old-style recurring invoice was added.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-add.md",
                    status: deprecated,
                }
                CrmInvoiceRecurringDelete {
                    code: "ONCRMINVOICERECURRINGDELETE", name: "onCrmInvoiceRecurringDelete",
                    payload: fields(ItemId), subject: CRM_INVOICE_RECURRING Deleted,
                    doc: "An old-style recurring invoice was deleted.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-delete.md",
                    status: deprecated,
                }
                CrmInvoiceRecurringExpose {
                    code: "ONCRMINVOICERECURRINGEXPOSE", name: "onCrmInvoiceRecurringExpose",
                    payload: fields(CrmRecurringInvoiceExpose), subject: CRM_INVOICE Added,
                    doc: "An old-style invoice was made from a recurring template.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-expose.md",
                    status: deprecated,
                }
                CrmInvoiceRecurringUpdate {
                    code: "ONCRMINVOICERECURRINGUPDATE", name: "onCrmInvoiceRecurringUpdate",
                    payload: fields(CrmRecurringInvoice), subject: CRM_INVOICE_RECURRING Updated,
                    doc: "An old-style recurring invoice was changed.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-recurring-update.md",
                    status: deprecated,
                }
                CrmInvoiceSetStatus {
                    code: "ONCRMINVOICESETSTATUS", name: "onCrmInvoiceSetStatus",
                    payload: fields(ItemId), subject: CRM_INVOICE Updated,
                    doc: "An old-style invoice got another status.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-set-status.md",
                    status: deprecated,
                }
                CrmInvoiceUpdate {
                    code: "ONCRMINVOICEUPDATE", name: "onCrmInvoiceUpdate", payload: fields(ItemId),
                    subject: CRM_INVOICE Updated,
                    doc: "An old-style invoice was changed.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-update.md",
                    status: deprecated,
                }
                CrmInvoiceUserFieldAdd {
                    code: "ONCRMINVOICEUSERFIELDADD", name: "onCrmInvoiceUserFieldAdd",
                    payload: fields(InvoiceUserField), subject: CRM_INVOICE_USERFIELD Added,
                    doc: "An old-style invoice custom field was added.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-add.md",
                    status: deprecated,
                }
                CrmInvoiceUserFieldDelete {
                    code: "ONCRMINVOICEUSERFIELDDELETE", name: "onCrmInvoiceUserFieldDelete",
                    payload: fields(InvoiceUserField), subject: CRM_INVOICE_USERFIELD Deleted,
                    doc: "An old-style invoice custom field was deleted.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-delete.md",
                    status: deprecated,
                }
                CrmInvoiceUserFieldSetEnumValues {
                    code: "ONCRMINVOICEUSERFIELDSETENUMVALUES",
                    name: "onCrmInvoiceUserFieldSetEnumValues", payload: fields(InvoiceUserField),
                    subject: CRM_INVOICE_USERFIELD Updated,
                    doc: "An old-style invoice custom field got another set of list values.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-set-enum-values.md",
                    status: deprecated,
                }
                CrmInvoiceUserFieldUpdate {
                    code: "ONCRMINVOICEUSERFIELDUPDATE", name: "onCrmInvoiceUserFieldUpdate",
                    payload: fields(InvoiceUserField), subject: CRM_INVOICE_USERFIELD Updated,
                    doc: "An old-style invoice custom field was changed.",
                    page: "crm/outdated/invoice/events-invoice/on-crm-invoice-user-field-update.md",
                    status: deprecated,
                }
                CrmLeadAdd {
                    code: "ONCRMLEADADD", name: "onCrmLeadAdd", payload: fields(ItemId),
                    subject: CRM_LEAD Added,
                    doc: "A lead was added.", page: "crm/leads/events/on-crm-lead-add.md",
                }
                CrmLeadDelete {
                    code: "ONCRMLEADDELETE", name: "onCrmLeadDelete", payload: fields(ItemId),
                    subject: CRM_LEAD Deleted,
                    doc: "A lead was deleted.", page: "crm/leads/events/on-crm-lead-delete.md",
                }
                CrmLeadUpdate {
                    code: "ONCRMLEADUPDATE", name: "onCrmLeadUpdate", payload: fields(ItemId),
                    subject: CRM_LEAD Updated,
                    doc: "A lead was changed.", page: "crm/leads/events/on-crm-lead-update.md",
                }
                CrmLeadUserFieldAdd {
                    code: "ONCRMLEADUSERFIELDADD", name: "onCrmLeadUserFieldAdd",
                    payload: fields(UserField), subject: CRM_LEAD_USERFIELD Added,
                    doc: "A lead custom field was added.",
                    page: "crm/leads/userfield/events/on-crm-lead-user-field-add.md",
                }
                CrmLeadUserFieldDelete {
                    code: "ONCRMLEADUSERFIELDDELETE", name: "onCrmLeadUserFieldDelete",
                    payload: fields(UserField), subject: CRM_LEAD_USERFIELD Deleted,
                    doc: "A lead custom field was deleted.",
                    page: "crm/leads/userfield/events/on-crm-lead-user-field-delete.md",
                }
                CrmLeadUserFieldSetEnumValues {
                    code: "ONCRMLEADUSERFIELDSETENUMVALUES",
                    name: "onCrmLeadUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_LEAD_USERFIELD Updated,
                    doc: "A lead custom field got another set of list values.",
                    page: "crm/leads/userfield/events/on-crm-lead-user-field-set-enum-values.md",
                }
                CrmLeadUserFieldUpdate {
                    code: "ONCRMLEADUSERFIELDUPDATE", name: "onCrmLeadUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_LEAD_USERFIELD Updated,
                    doc: "A lead custom field was changed.",
                    page: "crm/leads/userfield/events/on-crm-lead-user-field-update.md",
                }
                CrmMeasureAdd {
                    code: "ONCRMMEASUREADD", name: "onCrmMeasureAdd",
                    payload: fields(CrmOutdatedItem), subject: CRM_MEASURE Added,
                    doc: "A CRM unit of measure was added.",
                    page: "crm/outdated/measure/events/on-crm-measure-add.md", status: deprecated,
                }
                CrmMeasureDelete {
                    code: "ONCRMMEASUREDELETE", name: "onCrmMeasureDelete",
                    payload: fields(CrmOutdatedItem), subject: CRM_MEASURE Deleted,
                    doc: "A CRM unit of measure was deleted.",
                    page: "crm/outdated/measure/events/on-crm-measure-delete.md", status: deprecated,
                }
                CrmMeasureUpdate {
                    code: "ONCRMMEASUREUPDATE", name: "onCrmMeasureUpdate",
                    payload: fields(CrmOutdatedItem), subject: CRM_MEASURE Updated,
                    doc: "A CRM unit of measure was changed.",
                    page: "crm/outdated/measure/events/on-crm-measure-update.md", status: deprecated,
                }
                CrmProductAdd {
                    code: "ONCRMPRODUCTADD", name: "onCrmProductAdd", payload: fields(ItemId),
                    subject: CRM_PRODUCT Added,
                    doc: "A CRM product was added.",
                    page: "crm/outdated/products/events-custom/on-crm-product-add.md", status: deprecated,
                }
                CrmProductDelete {
                    code: "ONCRMPRODUCTDELETE", name: "onCrmProductDelete", payload: fields(ItemId),
                    subject: CRM_PRODUCT Deleted,
                    doc: "A CRM product was deleted.",
                    page: "crm/outdated/products/events-custom/on-crm-product-delete.md",
                    status: deprecated,
                }
                CrmProductPropertyAdd {
                    code: "ONCRMPRODUCTPROPERTYADD", name: "onCrmProductPropertyAdd",
                    payload: fields(ItemId), subject: CRM_PRODUCT_PROPERTY Added,
                    doc: "A CRM product property was added.",
                    page: "crm/outdated/products/events-custom/on-crm-product-property-add.md",
                    status: deprecated,
                }
                CrmProductPropertyDelete {
                    code: "ONCRMPRODUCTPROPERTYDELETE", name: "onCrmProductPropertyDelete",
                    payload: fields(ItemId), subject: CRM_PRODUCT_PROPERTY Deleted,
                    doc: "A CRM product property was deleted.",
                    page: "crm/outdated/products/events-custom/on-crm-product-property-delete.md",
                    status: deprecated,
                }
                CrmProductPropertyUpdate {
                    code: "ONCRMPRODUCTPROPERTYUPDATE", name: "onCrmProductPropertyUpdate",
                    payload: fields(ItemId), subject: CRM_PRODUCT_PROPERTY Updated,
                    doc: "A CRM product property was changed.",
                    page: "crm/outdated/products/events-custom/on-crm-product-property-update.md",
                    status: deprecated,
                }
                CrmProductSectionAdd {
                    code: "ONCRMPRODUCTSECTIONADD", name: "onCrmProductSectionAdd",
                    payload: fields(CrmOutdatedItem), subject: CRM_PRODUCTSECTION Added,
                    doc: "A CRM product section was added.",
                    page: "crm/outdated/product-section/events/on-crm-product-section-add.md",
                    status: deprecated,
                }
                CrmProductSectionDelete {
                    code: "ONCRMPRODUCTSECTIONDELETE", name: "onCrmProductSectionDelete",
                    payload: fields(CrmOutdatedItem), subject: CRM_PRODUCTSECTION Deleted,
                    doc: "A CRM product section was deleted.",
                    page: "crm/outdated/product-section/events/on-crm-product-section-delete.md",
                    status: deprecated,
                }
                CrmProductSectionUpdate {
                    code: "ONCRMPRODUCTSECTIONUPDATE", name: "onCrmProductSectionUpdate",
                    payload: fields(CrmOutdatedItem), subject: CRM_PRODUCTSECTION Updated,
                    doc: "A CRM product section was changed.",
                    page: "crm/outdated/product-section/events/on-crm-product-section-update.md",
                    status: deprecated,
                }
                CrmProductUpdate {
                    code: "ONCRMPRODUCTUPDATE", name: "onCrmProductUpdate", payload: fields(ItemId),
                    subject: CRM_PRODUCT Updated,
                    doc: "A CRM product was changed.",
                    page: "crm/outdated/products/events-custom/on-crm-product-update.md",
                    status: deprecated,
                }
                CrmQuoteAdd {
                    code: "ONCRMQUOTEADD", name: "onCrmQuoteAdd", payload: fields(ItemId),
                    subject: CRM_QUOTE Added,
                    doc: "An estimate was added.", page: "crm/quote/events/on-crm-quote-add.md",
                }
                CrmQuoteDelete {
                    code: "ONCRMQUOTEDELETE", name: "onCrmQuoteDelete", payload: fields(ItemId),
                    subject: CRM_QUOTE Deleted,
                    doc: "An estimate was deleted.",
                    page: "crm/quote/events/on-crm-quote-delete.md",
                }
                CrmQuoteUpdate {
                    code: "ONCRMQUOTEUPDATE", name: "onCrmQuoteUpdate", payload: fields(ItemId),
                    subject: CRM_QUOTE Updated,
                    doc: "An estimate was changed.",
                    page: "crm/quote/events/on-crm-quote-update.md",
                }
                CrmQuoteUserFieldAdd {
                    code: "ONCRMQUOTEUSERFIELDADD", name: "onCrmQuoteUserFieldAdd",
                    payload: fields(UserField), subject: CRM_QUOTE_USERFIELD Added,
                    doc: "An estimate custom field was added.",
                    page: "crm/quote/user-field/events/on-crm-quote-user-field-add.md",
                }
                CrmQuoteUserFieldDelete {
                    code: "ONCRMQUOTEUSERFIELDDELETE", name: "onCrmQuoteUserFieldDelete",
                    payload: fields(UserField), subject: CRM_QUOTE_USERFIELD Deleted,
                    doc: "An estimate custom field was deleted.",
                    page: "crm/quote/user-field/events/on-crm-quote-user-field-delete.md",
                }
                CrmQuoteUserFieldSetEnumValues {
                    code: "ONCRMQUOTEUSERFIELDSETENUMVALUES",
                    name: "onCrmQuoteUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_QUOTE_USERFIELD Updated,
                    doc: "An estimate custom field got another set of list values.",
                    page: "crm/quote/user-field/events/on-crm-quote-user-field-set-enum-values.md",
                }
                CrmQuoteUserFieldUpdate {
                    code: "ONCRMQUOTEUSERFIELDUPDATE", name: "onCrmQuoteUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_QUOTE_USERFIELD Updated,
                    doc: "An estimate custom field was changed.",
                    page: "crm/quote/user-field/events/on-crm-quote-user-field-update.md",
                }
                CrmRequisiteAdd {
                    code: "ONCRMREQUISITEADD", name: "onCrmRequisiteAdd", payload: fields(ItemId),
                    subject: CRM_REQUISITE Added,
                    doc: "A requisite was added.",
                    page: "crm/requisites/events/on-crm-requisite-add.md",
                }
                CrmRequisiteDelete {
                    code: "ONCRMREQUISITEDELETE", name: "onCrmRequisiteDelete",
                    payload: fields(ItemId), subject: CRM_REQUISITE Deleted,
                    doc: "A requisite was deleted.",
                    page: "crm/requisites/events/on-crm-requisite-delete.md",
                }
                CrmRequisiteUpdate {
                    code: "ONCRMREQUISITEUPDATE", name: "onCrmRequisiteUpdate",
                    payload: fields(ItemId), subject: CRM_REQUISITE Updated,
                    doc: "A requisite was changed.",
                    page: "crm/requisites/events/on-crm-requisite-update.md",
                }
                CrmRequisiteUserFieldAdd {
                    code: "ONCRMREQUISITEUSERFIELDADD", name: "onCrmRequisiteUserFieldAdd",
                    payload: fields(UserField), subject: CRM_REQUISITE_USERFIELD Added,
                    doc: "A custom field of requisites was added.",
                    page: "crm/requisites/events/on-crm-requisite-user-field-add.md",
                }
                CrmRequisiteUserFieldDelete {
                    code: "ONCRMREQUISITEUSERFIELDDELETE", name: "onCrmRequisiteUserFieldDelete",
                    payload: fields(UserField), subject: CRM_REQUISITE_USERFIELD Deleted,
                    doc: "A custom field of requisites was deleted.",
                    page: "crm/requisites/events/on-crm-requisite-user-field-delete.md",
                }
                CrmRequisiteUserFieldSetEnumValues {
                    code: "ONCRMREQUISITEUSERFIELDSETENUMVALUES",
                    name: "onCrmRequisiteUserFieldSetEnumValues", payload: fields(UserField),
                    subject: CRM_REQUISITE_USERFIELD Updated,
                    doc: "A custom field of requisites got another set of list values.",
                    page: "crm/requisites/events/on-crm-requisite-user-field-set-enum-values.md",
                }
                CrmRequisiteUserFieldUpdate {
                    code: "ONCRMREQUISITEUSERFIELDUPDATE", name: "onCrmRequisiteUserFieldUpdate",
                    payload: fields(UserField), subject: CRM_REQUISITE_USERFIELD Updated,
                    doc: "A custom field of requisites was changed.",
                    page: "crm/requisites/events/on-crm-requisite-user-field-update.md",
                }
                CrmTimelineCommentAdd {
                    code: "ONCRMTIMELINECOMMENTADD", name: "onCrmTimelineCommentAdd",
                    payload: fields(ItemId), subject: CRM_TIMELINE_COMMENT Added,
                    doc: "A CRM timeline comment was added.",
                    page: "crm/timeline/comments/events/on-Crm-Timeline-Comment-Add.md",
                }
                CrmTimelineCommentDelete {
                    code: "ONCRMTIMELINECOMMENTDELETE", name: "onCrmTimelineCommentDelete",
                    payload: fields(ItemId), subject: CRM_TIMELINE_COMMENT Deleted,
                    doc: "A CRM timeline comment was deleted.",
                    page: "crm/timeline/comments/events/on-Crm-Timeline-Comment-Delete.md",
                }
                CrmTimelineCommentUpdate {
                    code: "ONCRMTIMELINECOMMENTUPDATE", name: "onCrmTimelineCommentUpdate",
                    payload: fields(ItemId), subject: CRM_TIMELINE_COMMENT Updated,
                    doc: "A CRM timeline comment was changed.",
                    page: "crm/timeline/comments/events/on-Crm-Timeline-Comment-Update.md",
                }
                CrmTimelineItemAction {
                    code: "ONCRMTIMELINEITEMACTION", name: "onCrmTimelineItemAction",
                    payload: data(CrmTimelineAction),
                    doc: "A user pressed a restEvent button of a configurable timeline activity.",
                    page: "crm/timeline/activities/configurable/structure/action.md",
                }
                CrmTypeAdd {
                    code: "ONCRMTYPEADD", name: "onCrmTypeAdd", payload: fields(ItemId),
                    subject: CRM_TYPE Added,
                    doc: "A smart process type was added.",
                    page: "crm/universal/events/type/on-crm-type-add.md",
                }
                CrmTypeDelete {
                    code: "ONCRMTYPEDELETE", name: "onCrmTypeDelete", payload: fields(ItemId),
                    subject: CRM_TYPE Deleted,
                    doc: "A smart process type was deleted.",
                    page: "crm/universal/events/type/on-crm-type-delete.md",
                }
                CrmTypeUpdate {
                    code: "ONCRMTYPEUPDATE", name: "onCrmTypeUpdate", payload: fields(ItemId),
                    subject: CRM_TYPE Updated,
                    doc: "A smart process type was changed.",
                    page: "crm/universal/events/type/on-crm-type-update.md",
                }
                CrmTypeUserFieldAdd {
                    code: "ONCRMTYPEUSERFIELDADD", name: "onCrmTypeUserFieldAdd",
                    payload: fields(UserField), subject: USERFIELDCONFIG Added,
                    doc: "A custom field of a smart process, new invoice or sign document was added.",
                    page: "crm/universal/userfieldconfig/events/on-crm-type-user-field-add.md",
                }
                CrmTypeUserFieldDelete {
                    code: "ONCRMTYPEUSERFIELDDELETE", name: "onCrmTypeUserFieldDelete",
                    payload: fields(UserField), subject: USERFIELDCONFIG Deleted,
                    doc: "A custom field of a smart process, new invoice or sign document was deleted.",
                    page: "crm/universal/userfieldconfig/events/on-crm-type-user-field-delete.md",
                }
                CrmTypeUserFieldSetEnumValues {
                    code: "ONCRMTYPEUSERFIELDSETENUMVALUES",
                    name: "onCrmTypeUserFieldSetEnumValues", payload: fields(UserField),
                    subject: USERFIELDCONFIG Updated,
                    doc: "A custom field of a smart process, new invoice or sign document got another set of list values.",
                    page: "crm/universal/userfieldconfig/events/on-crm-type-user-field-set-enum-values.md",
                }
                CrmTypeUserFieldUpdate {
                    code: "ONCRMTYPEUSERFIELDUPDATE", name: "onCrmTypeUserFieldUpdate",
                    payload: fields(UserField), subject: USERFIELDCONFIG Updated,
                    doc: "A custom field of a smart process, new invoice or sign document was changed.",
                    page: "crm/universal/userfieldconfig/events/on-crm-type-user-field-update.md",
                }
            }
            scope "task" {
                TaskAdd {
                    code: "ONTASKADD", name: "OnTaskAdd", payload: data(TaskChange),
                    subject: TASKS_TASK Added,
                    doc: "A task was added.", page: "tasks/events-tasks/on-task-add.md",
                }
                TaskCommentAdd {
                    code: "ONTASKCOMMENTADD", name: "OnTaskCommentAdd",
                    payload: data(TaskCommentAdd), subject: TASK_COMMENTITEM Added,
                    doc: "A task comment was added.",
                    page: "tasks/comment-item/events-comment/on-task-comment-add.md",
                }
                TaskCommentDelete {
                    code: "ONTASKCOMMENTDELETE", name: "OnTaskCommentDelete",
                    payload: data(TaskCommentChange), subject: TASK_COMMENTITEM Deleted,
                    doc: "A task comment was deleted.",
                    page: "tasks/comment-item/events-comment/on-task-comment-delete.md",
                }
                TaskCommentUpdate {
                    code: "ONTASKCOMMENTUPDATE", name: "OnTaskCommentUpdate",
                    payload: data(TaskCommentChange), subject: TASK_COMMENTITEM Updated,
                    doc: "A task comment was changed.",
                    page: "tasks/comment-item/events-comment/on-task-comment-update.md",
                }
                TaskDelete {
                    code: "ONTASKDELETE", name: "OnTaskDelete", payload: data(TaskChange),
                    subject: TASKS_TASK Deleted,
                    doc: "A task was deleted.", page: "tasks/events-tasks/on-task-delete.md",
                }
                TaskUpdate {
                    code: "ONTASKUPDATE", name: "OnTaskUpdate", payload: data(TaskChange),
                    subject: TASKS_TASK Updated,
                    doc: "A task was changed.", page: "tasks/events-tasks/on-task-update.md",
                }
            }
            scope "calendar" {
                CalendarEntryAdd {
                    code: "ONCALENDARENTRYADD", name: "OnCalendarEntryAdd",
                    payload: data(CalendarItem), subject: CALENDAR_EVENT Added,
                    doc: "A calendar event was added.",
                    page: "calendar/calendar-event/events/on-calendar-entry-add.md",
                }
                CalendarEntryDelete {
                    code: "ONCALENDARENTRYDELETE", name: "OnCalendarEntryDelete",
                    payload: data(CalendarItem), subject: CALENDAR_EVENT Deleted,
                    doc: "A calendar event was deleted.",
                    page: "calendar/calendar-event/events/on-calendar-entry-delete.md",
                }
                CalendarEntryUpdate {
                    code: "ONCALENDARENTRYUPDATE", name: "OnCalendarEntryUpdate",
                    payload: data(CalendarItem), subject: CALENDAR_EVENT Updated,
                    doc: "A calendar event was changed.",
                    page: "calendar/calendar-event/events/on-calendar-entry-update.md",
                }
                CalendarRoomCreate {
                    code: "ONCALENDARROOMCREATE", name: "OnCalendarRoomCreate",
                    payload: data(CalendarItem), subject: CALENDAR_ROOM Added,
                    doc: "A meeting room was added.",
                }
                CalendarRoomDelete {
                    code: "ONCALENDARROOMDELETE", name: "OnCalendarRoomDelete",
                    payload: data(CalendarItem), subject: CALENDAR_ROOM Deleted,
                    doc: "A meeting room was deleted.",
                }
                CalendarRoomUpdate {
                    code: "ONCALENDARROOMUPDATE", name: "OnCalendarRoomUpdate",
                    payload: data(CalendarItem), subject: CALENDAR_ROOM Updated,
                    doc: "A meeting room was changed.",
                }
                CalendarSectionAdd {
                    code: "ONCALENDARSECTIONADD", name: "OnCalendarSectionAdd",
                    payload: data(CalendarItem), subject: CALENDAR_SECTION Added,
                    doc: "A calendar section or resource was added.",
                    page: "calendar/events/on-calendar-section-add.md",
                }
                CalendarSectionDelete {
                    code: "ONCALENDARSECTIONDELETE", name: "OnCalendarSectionDelete",
                    payload: data(CalendarItem), subject: CALENDAR_SECTION Deleted,
                    doc: "A calendar section or resource was deleted.",
                    page: "calendar/events/on-calendar-section-delete.md",
                }
                CalendarSectionUpdate {
                    code: "ONCALENDARSECTIONUPDATE", name: "OnCalendarSectionUpdate",
                    payload: data(CalendarItem), subject: CALENDAR_SECTION Updated,
                    doc: "A calendar section or resource was changed.",
                    page: "calendar/events/on-calendar-section-update.md",
                }
            }
            scope "catalog" {
                CatalogMeasureAdd {
                    code: "CATALOG.MEASURE.ON.ADD", name: "CATALOG.MEASURE.ON.ADD",
                    payload: fields(ItemId), subject: CATALOG_MEASURE Added,
                    doc: "A catalog unit of measure was added.",
                    page: "catalog/measure/events/catalog-measure-on-add.md",
                }
                CatalogMeasureDelete {
                    code: "CATALOG.MEASURE.ON.DELETE", name: "CATALOG.MEASURE.ON.DELETE",
                    payload: fields(ItemId), subject: CATALOG_MEASURE Deleted,
                    doc: "A catalog unit of measure was deleted.",
                    page: "catalog/measure/events/catalog-measure-on-delete.md",
                }
                CatalogMeasureUpdate {
                    code: "CATALOG.MEASURE.ON.UPDATE", name: "CATALOG.MEASURE.ON.UPDATE",
                    payload: fields(ItemId), subject: CATALOG_MEASURE Updated,
                    doc: "A catalog unit of measure was changed.",
                    page: "catalog/measure/events/catalog-measure-on-update.md",
                }
                CatalogPriceAdd {
                    code: "CATALOG.PRICE.ON.ADD", name: "CATALOG.PRICE.ON.ADD",
                    payload: fields(ItemId), subject: CATALOG_PRICE Added,
                    doc: "A catalog price was added.",
                    page: "catalog/price/events/catalog-price-on-add.md",
                }
                CatalogPriceDelete {
                    code: "CATALOG.PRICE.ON.DELETE", name: "CATALOG.PRICE.ON.DELETE",
                    payload: fields(ItemId), subject: CATALOG_PRICE Deleted,
                    doc: "A catalog price was deleted.",
                    page: "catalog/price/events/catalog-price-on-delete.md",
                }
                CatalogPriceUpdate {
                    code: "CATALOG.PRICE.ON.UPDATE", name: "CATALOG.PRICE.ON.UPDATE",
                    payload: fields(ItemId), subject: CATALOG_PRICE Updated,
                    doc: "A catalog price was changed.",
                    page: "catalog/price/events/catalog-price-on-update.md",
                }
                CatalogPriceTypeAdd {
                    code: "CATALOG.PRICE.TYPE.ON.ADD", name: "CATALOG.PRICE.TYPE.ON.ADD",
                    payload: fields(ItemId), subject: CATALOG_PRICE_TYPE Added,
                    doc: "A catalog price type was added.",
                    page: "catalog/price-type/events/catalog-price-type-on-add.md",
                }
                CatalogPriceTypeDelete {
                    code: "CATALOG.PRICE.TYPE.ON.DELETE", name: "CATALOG.PRICE.TYPE.ON.DELETE",
                    payload: fields(ItemId), subject: CATALOG_PRICE_TYPE Deleted,
                    doc: "A catalog price type was deleted.",
                    page: "catalog/price-type/events/catalog-price-type-on-delete.md",
                }
                CatalogPriceTypeUpdate {
                    code: "CATALOG.PRICE.TYPE.ON.UPDATE", name: "CATALOG.PRICE.TYPE.ON.UPDATE",
                    payload: fields(ItemId), subject: CATALOG_PRICE_TYPE Updated,
                    doc: "A catalog price type was changed.",
                    page: "catalog/price-type/events/catalog-price-type-on-update.md",
                }
                CatalogProductAdd {
                    code: "CATALOG.PRODUCT.ON.ADD", name: "CATALOG.PRODUCT.ON.ADD",
                    payload: fields(CatalogProduct), subject: CATALOG_PRODUCT Added,
                    doc: "A catalog product was added.",
                    page: "catalog/product/events/catalog-product-on-add.md",
                }
                CatalogProductDelete {
                    code: "CATALOG.PRODUCT.ON.DELETE", name: "CATALOG.PRODUCT.ON.DELETE",
                    payload: fields(CatalogProduct), subject: CATALOG_PRODUCT Deleted,
                    doc: "A catalog product was deleted.",
                    page: "catalog/product/events/catalog-product-on-delete.md",
                }
                CatalogProductUpdate {
                    code: "CATALOG.PRODUCT.ON.UPDATE", name: "CATALOG.PRODUCT.ON.UPDATE",
                    payload: fields(CatalogProduct), subject: CATALOG_PRODUCT Updated,
                    doc: "A catalog product was changed.",
                    page: "catalog/product/events/catalog-product-on-update.md",
                }
                CatalogRoundingAdd {
                    code: "CATALOG.ROUNDING.ON.ADD", name: "CATALOG.ROUNDING.ON.ADD",
                    payload: fields(ItemId), subject: CATALOG_ROUNDING_RULE Added,
                    doc: "A price rounding rule was added.",
                    page: "catalog/rounding-rule/events/catalog-rounding-on-add.md",
                }
                CatalogRoundingDelete {
                    code: "CATALOG.ROUNDING.ON.DELETE", name: "CATALOG.ROUNDING.ON.DELETE",
                    payload: fields(ItemId), subject: CATALOG_ROUNDING_RULE Deleted,
                    doc: "A price rounding rule was deleted.",
                    page: "catalog/rounding-rule/events/catalog-rounding-on-delete.md",
                }
                CatalogRoundingUpdate {
                    code: "CATALOG.ROUNDING.ON.UPDATE", name: "CATALOG.ROUNDING.ON.UPDATE",
                    payload: fields(ItemId), subject: CATALOG_ROUNDING_RULE Updated,
                    doc: "A price rounding rule was changed.",
                    page: "catalog/rounding-rule/events/catalog-rounding-on-update.md",
                }
            }
            scope "sale" {
                OrderDeleted {
                    code: "ONORDERDELETED", name: "OnOrderDeleted", payload: fields(ItemId),
                    subject: SALE_ORDER Deleted,
                    doc: "An order was removed from the database.",
                    page: "sale/events/on-order-deleted.md",
                }
                OrderEntitySaved {
                    code: "ONORDERENTITYSAVED", name: "OnOrderEntitySaved", payload: fields(ItemId),
                    subject: SALE_ORDER Saved,
                    doc: "An order was saved.", page: "sale/events/on-order-entity-saved.md",
                }
                PaymentDeleted {
                    code: "ONPAYMENTDELETED", name: "OnPaymentDeleted", payload: fields(ItemId),
                    subject: SALE_PAYMENT Deleted,
                    doc: "A payment was removed from the database.",
                    page: "sale/events/on-payment-deleted.md",
                }
                PaymentEntitySaved {
                    code: "ONPAYMENTENTITYSAVED", name: "OnPaymentEntitySaved",
                    payload: fields(ItemId), subject: SALE_PAYMENT Saved,
                    doc: "A payment was saved.", page: "sale/events/on-payment-entity-saved.md",
                }
                PropertyValueDeleted {
                    code: "ONPROPERTYVALUEDELETED", name: "OnPropertyValueDeleted",
                    payload: fields(ItemId), subject: SALE_PROPERTYVALUE Deleted,
                    doc: "An order property value was deleted.",
                    page: "sale/events/on-property-value-deleted.md",
                }
                PropertyValueEntitySaved {
                    code: "ONPROPERTYVALUEENTITYSAVED", name: "OnPropertyValueEntitySaved",
                    payload: fields(ItemId), subject: SALE_PROPERTYVALUE Saved,
                    doc: "An order property value was saved.",
                    page: "sale/events/on-property-value-entity-saved.md",
                }
                SaleBeforeOrderDelete {
                    code: "ONSALEBEFOREORDERDELETE", name: "OnSaleBeforeOrderDelete",
                    payload: fields(SaleOrder), subject: SALE_ORDER Deleting,
                    doc: "An order is about to be deleted.",
                    page: "sale/events/on-sale-before-order-delete.md",
                }
                SaleOrderSaved {
                    code: "ONSALEORDERSAVED", name: "OnSaleOrderSaved", payload: fields(SaleOrder),
                    subject: SALE_ORDER Saved,
                    doc: "An order with all its parts has been saved.",
                    page: "sale/events/on-sale-order-saved.md",
                }
                ShipmentDeleted {
                    code: "ONSHIPMENTDELETED", name: "OnShipmentDeleted", payload: fields(ItemId),
                    subject: SALE_SHIPMENT Deleted,
                    doc: "A shipment was removed from the database.",
                    page: "sale/events/on-shipment-deleted.md",
                }
                ShipmentEntitySaved {
                    code: "ONSHIPMENTENTITYSAVED", name: "OnShipmentEntitySaved",
                    payload: fields(ItemId), subject: SALE_SHIPMENT Saved,
                    doc: "A shipment was saved.", page: "sale/events/on-shipment-entity-saved.md",
                }
            }
            scope "booking" {
                BookingAdd {
                    code: "ONBOOKINGADD", name: "onBookingAdd", payload: data(ItemId),
                    subject: BOOKING_V1_BOOKING Added,
                    doc: "A booking was added.", page: "booking/booking/events/on-booking-add.md",
                }
                BookingDelete {
                    code: "ONBOOKINGDELETE", name: "onBookingDelete", payload: data(ItemId),
                    subject: BOOKING_V1_BOOKING Deleted,
                    doc: "A booking was deleted.",
                    page: "booking/booking/events/on-booking-delete.md",
                }
                BookingResourceAdd {
                    code: "ONBOOKINGRESOURCEADD", name: "onBookingResourceAdd",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE Added,
                    doc: "A booking resource was added.",
                    page: "booking/resource/events/on-booking-resource-add.md",
                }
                BookingResourceDelete {
                    code: "ONBOOKINGRESOURCEDELETE", name: "onBookingResourceDelete",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE Deleted,
                    doc: "A booking resource was deleted.",
                    page: "booking/resource/events/on-booking-resource-delete.md",
                }
                BookingResourceTypeAdd {
                    code: "ONBOOKINGRESOURCETYPEADD", name: "onBookingResourceTypeAdd",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE_TYPE Added,
                    doc: "A booking resource type was added.",
                    page: "booking/resource/resource-type/events/on-booking-resource-type-add.md",
                }
                BookingResourceTypeDelete {
                    code: "ONBOOKINGRESOURCETYPEDELETE", name: "onBookingResourceTypeDelete",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE_TYPE Deleted,
                    doc: "A booking resource type was deleted.",
                    page: "booking/resource/resource-type/events/on-booking-resource-type-delete.md",
                }
                BookingResourceTypeUpdate {
                    code: "ONBOOKINGRESOURCETYPEUPDATE", name: "onBookingResourceTypeUpdate",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE_TYPE Updated,
                    doc: "A booking resource type was changed.",
                    page: "booking/resource/resource-type/events/on-booking-resource-type-update.md",
                }
                BookingResourceUpdate {
                    code: "ONBOOKINGRESOURCEUPDATE", name: "onBookingResourceUpdate",
                    payload: data(ItemId), subject: BOOKING_V1_RESOURCE Updated,
                    doc: "A booking resource was changed.",
                    page: "booking/resource/events/on-booking-resource-update.md",
                }
                BookingUpdate {
                    code: "ONBOOKINGUPDATE", name: "onBookingUpdate", payload: data(ItemId),
                    subject: BOOKING_V1_BOOKING Updated,
                    doc: "A booking was changed.",
                    page: "booking/booking/events/on-booking-update.md",
                }
                BookingWaitListItemAdd {
                    code: "ONBOOKINGWAITLISTITEMADD", name: "onBookingWaitListItemAdd",
                    payload: data(ItemId), subject: BOOKING_V1_WAITLIST Added,
                    doc: "A booking wait list entry was added.",
                    page: "booking/waitlist/events/on-booking-waitlistitem-add.md",
                }
                BookingWaitListItemDelete {
                    code: "ONBOOKINGWAITLISTITEMDELETE", name: "onBookingWaitListItemDelete",
                    payload: data(ItemId), subject: BOOKING_V1_WAITLIST Deleted,
                    doc: "A booking wait list entry was deleted.",
                    page: "booking/waitlist/events/on-booking-waitlistitem-delete.md",
                }
                BookingWaitListItemUpdate {
                    code: "ONBOOKINGWAITLISTITEMUPDATE", name: "onBookingWaitListItemUpdate",
                    payload: data(ItemId), subject: BOOKING_V1_WAITLIST Updated,
                    doc: "A booking wait list entry was changed.",
                    page: "booking/waitlist/events/on-booking-waitlistitem-update.md",
                }
            }
            scope "telephony" {
                ExternalCallBackStart {
                    code: "ONEXTERNALCALLBACKSTART", name: "OnExternalCallBackStart",
                    payload: data(ExternalCallback),
                    doc: "A visitor asked for a callback in a CRM form.",
                    page: "telephony/events/on-external-call-back-start.md",
                }
                ExternalCallStart {
                    code: "ONEXTERNALCALLSTART", name: "OnExternalCallStart",
                    payload: data(ExternalCall), subject: TELEPHONY_EXTERNALCALL Started,
                    doc: "A user asked for an outgoing call through the telephony app.",
                    page: "telephony/events/on-external-call-start.md",
                }
                VoximplantCallEnd {
                    code: "ONVOXIMPLANTCALLEND", name: "OnVoximplantCallEnd",
                    payload: data(CallEnd), subject: VOXIMPLANT_CALL Finished,
                    doc: "A call ended and went into the history.",
                    page: "telephony/voximplant/events/on-voximplant-call-end.md",
                }
                VoximplantCallInit {
                    code: "ONVOXIMPLANTCALLINIT", name: "OnVoximplantCallInit",
                    payload: data(CallInit), subject: VOXIMPLANT_CALL Added,
                    doc: "A call was initialized.",
                    page: "telephony/voximplant/events/on-voximplant-call-init.md",
                }
                VoximplantCallStart {
                    code: "ONVOXIMPLANTCALLSTART", name: "OnVoximplantCallStart",
                    payload: data(CallStart), subject: VOXIMPLANT_CALL Started,
                    doc: "A call was answered.",
                    page: "telephony/voximplant/events/on-voximplant-call-start.md",
                }
            }
            scope "im" {
                ImV2JoinChat {
                    code: "ONIMV2JOINCHAT", name: "ONIMV2JOINCHAT", payload: data(ImV2JoinChat),
                    doc: "A member was added to a chat.",
                    page: "chat-bots/chat-bots-v2/im.v2/events/events.md",
                }
                ImV2MessageAdd {
                    code: "ONIMV2MESSAGEADD", name: "ONIMV2MESSAGEADD", payload: data(ImV2Message),
                    subject: IM_MESSAGE Added,
                    doc: "A message came into a chat of the subscribed user.",
                    page: "chat-bots/chat-bots-v2/im.v2/events/events.md",
                }
                ImV2MessageDelete {
                    code: "ONIMV2MESSAGEDELETE", name: "ONIMV2MESSAGEDELETE",
                    payload: data(ImV2MessageDelete), subject: IM_MESSAGE Deleted,
                    doc: "A chat message of the subscribed user was deleted.",
                    page: "chat-bots/chat-bots-v2/im.v2/events/events.md",
                }
                ImV2MessageUpdate {
                    code: "ONIMV2MESSAGEUPDATE", name: "ONIMV2MESSAGEUPDATE",
                    payload: data(ImV2Message), subject: IM_MESSAGE Updated,
                    doc: "A chat message of the subscribed user was edited.",
                    page: "chat-bots/chat-bots-v2/im.v2/events/events.md",
                }
                ImV2ReactionChange {
                    code: "ONIMV2REACTIONCHANGE", name: "ONIMV2REACTIONCHANGE",
                    payload: data(ImV2Reaction), subject: IM_MESSAGE Updated,
                    doc: "A reaction on a chat message was set or taken away.",
                    page: "chat-bots/chat-bots-v2/im.v2/events/events.md",
                }
            }
            scope "imbot" {
                ImBotContextGet {
                    code: "ONIMBOTCONTEXTGET", name: "ONIMBOTCONTEXTGET",
                    payload: data(ImBotContext),
                    doc: "A user opened a dialog with a v1 bot passing context data.",
                    page: "chat-bots/chat-bots-v2/migration.md", status: deprecated,
                }
                ImBotDelete {
                    code: "ONIMBOTDELETE", name: "ONIMBOTDELETE", payload: data(ImBotDelete),
                    subject: IMBOT Deleted,
                    doc: "A v1 chat bot was deleted.",
                    page: "chat-bots/outdated/events/on-imbot-delete.md", status: deprecated,
                }
                ImBotJoinChat {
                    code: "ONIMBOTJOINCHAT", name: "ONIMBOTJOINCHAT", payload: data(ImBotJoinChat),
                    doc: "A v1 chat bot was added to a chat.",
                    page: "chat-bots/outdated/chats/events/on-imbot-join-chat.md", status: deprecated,
                }
                ImBotMessageAdd {
                    code: "ONIMBOTMESSAGEADD", name: "ONIMBOTMESSAGEADD",
                    payload: data(ImBotMessageAdd), subject: IM_MESSAGE Added,
                    doc: "A user wrote to a v1 chat bot.",
                    page: "chat-bots/outdated/messages/events/on-imbot-message-add.md", status: deprecated,
                }
                ImBotMessageDelete {
                    code: "ONIMBOTMESSAGEDELETE", name: "ONIMBOTMESSAGEDELETE",
                    payload: data(ImBotMessageDelete), subject: IM_MESSAGE Deleted,
                    doc: "A message to a v1 chat bot was deleted.",
                    page: "chat-bots/outdated/messages/events/on-imbot-message-delete.md",
                    status: deprecated,
                }
                ImBotMessageUpdate {
                    code: "ONIMBOTMESSAGEUPDATE", name: "ONIMBOTMESSAGEUPDATE",
                    payload: data(ImBotMessageUpdate), subject: IM_MESSAGE Updated,
                    doc: "A message to a v1 chat bot was edited.",
                    page: "chat-bots/outdated/messages/events/on-imbot-message-update.md",
                    status: deprecated,
                }
                ImBotV2CommandAdd {
                    code: "ONIMBOTV2COMMANDADD", name: "ONIMBOTV2COMMANDADD",
                    payload: data(ImBotV2Command),
                    doc: "A user called a slash command of a v2 bot.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2ContextGet {
                    code: "ONIMBOTV2CONTEXTGET", name: "ONIMBOTV2CONTEXTGET",
                    payload: data(ImBotV2Context),
                    doc: "A user opened a dialog with a v2 bot passing context data.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2Delete {
                    code: "ONIMBOTV2DELETE", name: "ONIMBOTV2DELETE", payload: data(ImBotV2Delete),
                    subject: IMBOT Deleted,
                    doc: "A v2 bot was removed from the portal.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2JoinChat {
                    code: "ONIMBOTV2JOINCHAT", name: "ONIMBOTV2JOINCHAT",
                    payload: data(ImBotV2JoinChat),
                    doc: "A v2 bot was added to a chat.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2MessageAdd {
                    code: "ONIMBOTV2MESSAGEADD", name: "ONIMBOTV2MESSAGEADD",
                    payload: data(ImBotV2Message), subject: IM_MESSAGE Added,
                    doc: "A user wrote to a v2 bot.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2MessageDelete {
                    code: "ONIMBOTV2MESSAGEDELETE", name: "ONIMBOTV2MESSAGEDELETE",
                    payload: data(ImBotV2MessageDelete), subject: IM_MESSAGE Deleted,
                    doc: "A message in a chat of a v2 bot was deleted.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2MessageUpdate {
                    code: "ONIMBOTV2MESSAGEUPDATE", name: "ONIMBOTV2MESSAGEUPDATE",
                    payload: data(ImBotV2Message), subject: IM_MESSAGE Updated,
                    doc: "A message in a chat of a v2 bot was edited.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImBotV2ReactionChange {
                    code: "ONIMBOTV2REACTIONCHANGE", name: "ONIMBOTV2REACTIONCHANGE",
                    payload: data(ImBotV2Reaction), subject: IM_MESSAGE Updated,
                    doc: "A reaction on a v2 bot message was set or taken away.",
                    page: "chat-bots/chat-bots-v2/imbot.v2/events/events.md",
                }
                ImCommandAdd {
                    code: "ONIMCOMMANDADD", name: "ONIMCOMMANDADD", payload: data(ImBotCommand),
                    doc: "A user called a v1 chat bot command.",
                    page: "chat-bots/outdated/commands/events/on-im-command-add.md", status: deprecated,
                }
            }
            scope "imopenlines" {
                OpenLineMessageAdd {
                    code: "ONOPENLINEMESSAGEADD", name: "OnOpenLineMessageAdd",
                    payload: data(OpenLineMessageAdd),
                    doc: "An open line chat message was added.",
                    page: "imopenlines/openlines/events/on-open-line-message-add.md",
                }
                OpenLineMessageDelete {
                    code: "ONOPENLINEMESSAGEDELETE", name: "OnOpenLineMessageDelete",
                    payload: data(OpenLineMessageChange),
                    doc: "An open line chat message was deleted.",
                    page: "imopenlines/openlines/events/on-open-line-message-delete.md",
                }
                OpenLineMessageUpdate {
                    code: "ONOPENLINEMESSAGEUPDATE", name: "OnOpenLineMessageUpdate",
                    payload: data(OpenLineMessageChange),
                    doc: "An open line chat message was changed.",
                    page: "imopenlines/openlines/events/on-open-line-message-update.md",
                }
                SessionFinish {
                    code: "ONSESSIONFINISH", name: "OnSessionFinish",
                    payload: data(OpenLineSession),
                    doc: "An open line session ended.",
                    page: "imopenlines/openlines/events/on-session-finish.md",
                }
                SessionStart {
                    code: "ONSESSIONSTART", name: "OnSessionStart", payload: data(OpenLineSession),
                    doc: "An open line session began.",
                    page: "imopenlines/openlines/events/on-session-start.md",
                }
            }
            scope "imconnector" {
                ImConnectorDialogFinish {
                    code: "ONIMCONNECTORDIALOGFINISH", name: "OnImConnectorDialogFinish",
                    payload: data(ConnectorDialog),
                    doc: "A connector dialog was closed.",
                    page: "imopenlines/imconnector/events/on-im-connector-dialog-finish.md",
                }
                ImConnectorDialogStart {
                    code: "ONIMCONNECTORDIALOGSTART", name: "OnImConnectorDialogStart",
                    payload: data(ConnectorDialog),
                    doc: "A connector dialog was opened.",
                    page: "imopenlines/imconnector/events/on-im-connector-dialog-start.md",
                }
                ImConnectorLineDelete {
                    code: "ONIMCONNECTORLINEDELETE", name: "OnImConnectorLineDelete",
                    payload: data(ConnectorLineId), subject: IMOPENLINES_CONFIG Deleted,
                    doc: "An open line was deleted.",
                    page: "imopenlines/imconnector/events/on-im-connector-line-delete.md",
                }
                ImConnectorMessageAdd {
                    code: "ONIMCONNECTORMESSAGEADD", name: "OnImConnectorMessageAdd",
                    payload: data(ConnectorMessageAdd),
                    doc: "An operator message has to go out through a custom connector.",
                    page: "imopenlines/imconnector/events/on-im-connector-message-add.md",
                }
                ImConnectorMessageDelete {
                    code: "ONIMCONNECTORMESSAGEDELETE", name: "OnImConnectorMessageDelete",
                    payload: data(ConnectorMessageDelete),
                    doc: "An operator deleted a message sent through a custom connector.",
                    page: "imopenlines/imconnector/events/on-im-connector-message-delete.md",
                }
                ImConnectorMessageUpdate {
                    code: "ONIMCONNECTORMESSAGEUPDATE", name: "OnImConnectorMessageUpdate",
                    payload: data(ConnectorMessageUpdate),
                    doc: "An operator changed a message sent through a custom connector.",
                    page: "imopenlines/imconnector/events/on-im-connector-message-update.md",
                }
                ImConnectorStatusDelete {
                    code: "ONIMCONNECTORSTATUSDELETE", name: "OnImConnectorStatusDelete",
                    payload: data(ConnectorStatus),
                    doc: "A connector was switched off on an open line.",
                    page: "imopenlines/imconnector/events/on-im-connector-status-delete.md",
                }
            }
            scope "log" {
                LiveFeedPostAdd {
                    code: "ONLIVEFEEDPOSTADD", name: "OnLiveFeedPostAdd", payload: fields(FeedPost),
                    subject: LOG_BLOGPOST Added,
                    doc: "A feed post was added.", page: "log/events/on-live-feed-post-add.md",
                }
                LiveFeedPostDelete {
                    code: "ONLIVEFEEDPOSTDELETE", name: "OnLiveFeedPostDelete",
                    payload: fields(FeedPost), subject: LOG_BLOGPOST Deleted,
                    doc: "A feed post was deleted.", page: "log/events/on-live-feed-post-delete.md",
                }
                LiveFeedPostUpdate {
                    code: "ONLIVEFEEDPOSTUPDATE", name: "OnLiveFeedPostUpdate",
                    payload: fields(FeedPost), subject: LOG_BLOGPOST Updated,
                    doc: "A feed post was changed.", page: "log/events/on-live-feed-post-update.md",
                }
            }
            scope "sonet" {
                SonetGroupAdd {
                    code: "ONSONETGROUPADD", name: "onSonetGroupAdd", payload: fields(ItemId),
                    subject: SONET_GROUP Added,
                    doc: "A workgroup or project was added.",
                    page: "sonet-group/events/on-sonet-group-add.md",
                }
                SonetGroupDelete {
                    code: "ONSONETGROUPDELETE", name: "onSonetGroupDelete", payload: fields(ItemId),
                    subject: SONET_GROUP Deleted,
                    doc: "A workgroup or project was deleted.",
                    page: "sonet-group/events/on-sonet-group-delete.md",
                }
                SonetGroupSubjectAdd {
                    code: "ONSONETGROUPSUBJECTADD", name: "onSonetGroupSubjectAdd",
                    payload: fields(ItemId), subject: SONET_GROUP_SUBJECT Added,
                    doc: "A workgroup topic was added.",
                    page: "sonet-group/outdated/on-sonet-group-subject-add.md", status: deprecated,
                }
                SonetGroupSubjectDelete {
                    code: "ONSONETGROUPSUBJECTDELETE", name: "onSonetGroupSubjectDelete",
                    payload: fields(ItemId), subject: SONET_GROUP_SUBJECT Deleted,
                    doc: "A workgroup topic was deleted.",
                    page: "sonet-group/outdated/on-sonet-group-subject-delete.md", status: deprecated,
                }
                SonetGroupSubjectUpdate {
                    code: "ONSONETGROUPSUBJECTUPDATE", name: "onSonetGroupSubjectUpdate",
                    payload: fields(ItemId), subject: SONET_GROUP_SUBJECT Updated,
                    doc: "A workgroup topic was changed.",
                    page: "sonet-group/outdated/on-sonet-group-subject-update.md", status: deprecated,
                }
                SonetGroupUpdate {
                    code: "ONSONETGROUPUPDATE", name: "onSonetGroupUpdate", payload: fields(ItemId),
                    subject: SONET_GROUP Updated,
                    doc: "A workgroup or project was changed.",
                    page: "sonet-group/events/on-sonet-group-update.md",
                }
            }
            scope "sign.b2e" {
                SignB2eDocumentStatusChanged {
                    code: "ONSIGNB2EDOCUMENTSTATUSCHANGED", name: "OnSignB2eDocumentStatusChanged",
                    payload: data(SignDocumentStatus), subject: SIGN_B2E_DOCUMENT Updated,
                    doc: "An HR e-signature document got another status.",
                    page: "sign/events/on-sign-b2e-document-status-changed.md",
                }
                SignB2eMemberStatusChanged {
                    code: "ONSIGNB2EMEMBERSTATUSCHANGED", name: "OnSignB2eMemberStatusChanged",
                    payload: data(SignMemberStatus), subject: SIGN_B2E_MEMBER Updated,
                    doc: "A signer of an HR document got another status.",
                    page: "sign/events/on-sign-b2e-member-status-changed.md",
                }
                SignHcmLinkB2eDocumentSigned {
                    code: "ONSIGNHCMLINKB2EDOCUMENTSIGNED", name: "OnSignHcmLinkB2eDocumentSigned",
                    payload: data(SignHcmLinkDocument),
                    subject: SIGN_B2E_HCMLINK_DOCUMENT Updated,
                    doc: "An HR document tied to HCM Link was signed.",
                    page: "sign/events/on-sign-hcm-link-b2e-document-signed.md",
                }
            }
            scope "humanresources.hcmlink" {
                HumanResourcesHcmLinkEmployeeListMapped {
                    code: "ONHUMANRESOURCESHCMLINKEMPLOYEELISTMAPPED",
                    name: "OnHumanResourcesHcmLinkEmployeeListMapped", payload: data(HcmLinkJob),
                    subject: HUMANRESOURCES_HCMLINK_JOB Added,
                    doc: "Users were mapped to people of the HR system.",
                    page: "sign/hcm-link/index.md",
                }
                HumanResourcesHcmLinkEmployeeListRequested {
                    code: "ONHUMANRESOURCESHCMLINKEMPLOYEELISTREQUESTED",
                    name: "OnHumanResourcesHcmLinkEmployeeListRequested", payload: data(HcmLinkJob),
                    subject: HUMANRESOURCES_HCMLINK_JOB Added,
                    doc: "Bitrix24 asks the HR system for the employee list.",
                    page: "sign/hcm-link/index.md",
                }
                HumanResourcesHcmLinkFieldValueRequested {
                    code: "ONHUMANRESOURCESHCMLINKFIELDVALUEREQUESTED",
                    name: "OnHumanResourcesHcmLinkFieldValueRequested",
                    payload: data(HcmLinkFieldValues), subject: HUMANRESOURCES_HCMLINK_JOB Added,
                    doc: "Bitrix24 asks for field values for an HR document.",
                    page: "sign/hcm-link/index.md",
                }
                HumanResourcesHcmLinkPinRequested {
                    code: "ONHUMANRESOURCESHCMLINKPINREQUESTED",
                    name: "OnHumanResourcesHcmLinkPinRequested", payload: data(HcmLinkJob),
                    subject: HUMANRESOURCES_HCMLINK_JOB Added,
                    doc: "Bitrix24 asks the HR system for a PIN.", page: "sign/hcm-link/index.md",
                }
                HumanResourcesHcmLinkSalaryVacationRequested {
                    code: "ONHUMANRESOURCESHCMLINKSALARYVACATIONREQUESTED",
                    name: "OnHumanResourcesHcmLinkSalaryVacationRequested",
                    payload: data(HcmLinkJob), subject: HUMANRESOURCES_HCMLINK_JOB Added,
                    doc: "Bitrix24 asks the HR system for salary and vacation data.",
                    page: "sign/hcm-link/index.md",
                }
            }
            scope "userfieldconfig" {
                MainUserTypeAdd {
                    code: "MAIN.ON.USER.TYPE.ADD", name: "main.on.user.type.add",
                    payload: fields(ItemId), subject: USERFIELDCONFIG Added,
                    doc: "A custom field of any object was added.",
                }
                MainUserTypeDelete {
                    code: "MAIN.ON.USER.TYPE.DELETE", name: "main.on.user.type.delete",
                    payload: fields(ItemId), subject: USERFIELDCONFIG Deleted,
                    doc: "A custom field of any object was deleted.",
                }
                MainUserTypeUpdate {
                    code: "MAIN.ON.USER.TYPE.UPDATE", name: "main.on.user.type.update",
                    payload: fields(ItemId), subject: USERFIELDCONFIG Updated,
                    doc: "A custom field of any object was changed.",
                }
            }
        }
    };
}

pub(crate) use definitions;
