//! Settings from a file: defaults, units, mistakes.

use super::*;

fn read(text: &str) -> Result<EventConfig, String> {
    toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
}

fn read_vars(vars: &[(&str, &str)]) -> Result<EventConfig, String> {
    let token = ("BITRIX24_APPLICATION_TOKEN", "secret");
    EventConfig::from_vars([&[token], vars].concat()).map_err(|error| error.to_string())
}

#[test]
fn unset_config_fields_have_the_defaults_of_the_layer() {
    for config in [read(r#"application_token = "secret""#), read_vars(&[])] {
        let config = config.unwrap();
        assert_eq!(config.application_token.unwrap().len(), 1);
        assert_eq!(config.path, None);
        assert_eq!(config.body_limit, EventConfig::DEFAULT_BODY_LIMIT);
        assert_eq!(config.body_timeout, EventConfig::DEFAULT_BODY_TIMEOUT);
        assert_eq!(config.body_budget, EventConfig::DEFAULT_BODY_BUDGET);
        assert_eq!(config.on_rejection, RejectionPolicy::Reject);
        assert!(!config.callbacks);
        assert!(!config.pass_other_callbacks);
        assert!(!config.respond_to_probes);
    }
}

#[test]
fn config_reads_every_field_from_a_file_and_from_variables() {
    let from_text = read(
        r#"
        application_token = ["secret", "other"]
        path = "/events"
        body_limit = 1000
        body_timeout = 2
        body_budget = 100000
        callbacks = true
        pass_other_callbacks = true
        respond_to_probes = true
        on_rejection = "acknowledge"
        "#,
    );
    let from_vars = EventConfig::from_vars([
        ("BITRIX24_APPLICATION_TOKEN", "secret,other"),
        ("BITRIX24_EVENT_PATH", "/events"),
        ("BITRIX24_EVENT_BODY_LIMIT", "1000"),
        ("BITRIX24_EVENT_BODY_TIMEOUT", "2"),
        ("BITRIX24_EVENT_BODY_BUDGET", "100000"),
        ("BITRIX24_EVENT_CALLBACKS", "true"),
        ("BITRIX24_EVENT_PASS_OTHER_CALLBACKS", "true"),
        ("BITRIX24_EVENT_RESPOND_TO_PROBES", "true"),
        ("BITRIX24_EVENT_ON_REJECTION", "acknowledge"),
        ("BITRIX24_CLIENT_ID", "the application's own"),
    ]);
    for config in [from_text.unwrap(), from_vars.unwrap()] {
        assert_eq!(config.application_token.as_ref().unwrap().len(), 2);
        assert_eq!(config.path.as_deref(), Some("/events"));
        assert_eq!(config.body_limit, 1000);
        assert_eq!(config.body_timeout, Duration::from_secs(2));
        assert_eq!(config.body_budget, 100_000);
        let layer = format!("{:?}", config.clone().into_layer().unwrap());
        assert!(layer.contains("body_budget: 100000"), "{layer}");
        assert!(config.callbacks && layer.contains("callbacks: true"));
        assert!(config.pass_other_callbacks);
        assert!(config.respond_to_probes);
        assert_eq!(config.on_rejection, RejectionPolicy::Acknowledge);
    }
}

#[test]
fn invalid_config_file_is_an_error_that_names_the_field() {
    for (text, message) in [
        (r#"application_token = """#, "an application token is empty"),
        (r#"application_token = []"#, "there is no application token"),
        (
            r#"application_token = ["a", ""]"#,
            "an application token is empty",
        ),
        ("application_token = 192735", "put it in quotes"),
        ("application_token = [192735]", "put it in quotes"),
        (
            "application_token = \"a\"\nlimit = 1",
            "unknown field `limit`",
        ),
        (
            "application_token = \"a\"\nbody_limit = 0",
            "the body limit must be above zero",
        ),
        (
            "application_token = \"a\"\nbody_budget = 0",
            "the body budget must be above zero",
        ),
        (
            "application_token = \"a\"\nbody_timeout = 0",
            "must be above zero",
        ),
        (
            "application_token = \"a\"\nbody_timeout = -1.5",
            "must be above zero",
        ),
        (
            "application_token = \"a\"\npath = \"events\"",
            "does not start with /",
        ),
        (
            "application_token = \"a\"\non_rejection = \"ok\"",
            "unknown variant `ok`",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn invalid_config_variable_is_an_error_that_names_the_variable() {
    for (name, value, message) in [
        (
            "BITRIX24_APPLICATION_TOKEN",
            "",
            "an application token is empty",
        ),
        (
            "BITRIX24_APPLICATION_TOKEN",
            "a,,b",
            "an application token is empty",
        ),
        ("BITRIX24_EVENT_LIMIT", "1", "unknown variable"),
        ("BITRIX24_EVENT_PATH", "events", "does not start with /"),
        (
            "BITRIX24_EVENT_BODY_LIMIT",
            "1k",
            "is not a number of bytes",
        ),
        ("BITRIX24_EVENT_BODY_TIMEOUT", "NaN", "must be above zero"),
        (
            "BITRIX24_EVENT_BODY_BUDGET",
            "0",
            "the body budget must be above zero",
        ),
        (
            "BITRIX24_EVENT_PASS_OTHER_CALLBACKS",
            "yes",
            "is not true or false",
        ),
        ("BITRIX24_EVENT_ON_REJECTION", "ok", "unknown variant `ok`"),
    ] {
        let error = read_vars(&[(name, value)]).unwrap_err();
        assert!(
            error.starts_with(name) && error.contains(message),
            "{error}"
        );
    }
}

#[test]
fn layer_of_a_config_needs_either_tokens_or_another_verifier() {
    let from_vars = EventConfig::from_vars([("PATH", "/bin")]).map_err(|e| e.to_string());
    for config in [read(""), from_vars, Ok(EventConfig::default())] {
        let config = config.unwrap();
        let error = config.clone().into_layer().unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no application token: set application_token or BITRIX24_APPLICATION_TOKEN"
        );
        assert!(config.into_layer_with(()).is_ok());
    }
    let mut config = read(r#"application_token = "secret""#).unwrap();
    assert!(config.clone().into_layer_with(()).is_err());
    let tokens = config.application_token.take().unwrap();
    config.path = Some("events".to_owned());
    let error = config.into_layer_with(tokens).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the path \"events\" does not start with /"
    );
}

/// The documentation warns of it.
#[test]
fn misspelled_key_is_an_error_in_a_table_and_dropped_in_a_flattened_field() {
    #[derive(Debug, Deserialize)]
    struct Nested {
        events: EventConfig,
    }
    #[derive(Debug, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        events: EventConfig,
    }
    let text = "application_token = \"a\"\nbodylimit = 1";
    let nested = toml::from_str::<Nested>(&format!("[events]\n{text}")).unwrap_err();
    assert!(nested.message().starts_with("unknown field `bodylimit`"));
    let flat: Flat = toml::from_str(text).unwrap();
    assert_eq!(flat.events.body_limit, EventConfig::DEFAULT_BODY_LIMIT);
    let nested = toml::from_str::<Nested>("[events]\nbody_limit = 1").unwrap();
    assert_eq!(nested.events.body_limit, 1);
}

#[test]
fn config_errors_contain_no_token() {
    let error = read_vars(&[("BITRIX24_APPLICATION_TOKEN", "secret,")]).unwrap_err();
    assert!(!error.contains("secret"), "{error}");
    for text in [
        r#"application_token = ["secret", ""]"#,
        "application_token = [192735]",
    ] {
        let error = read(text).unwrap_err();
        assert!(
            !error.contains("secret") && !error.contains("192735"),
            "{error}"
        );
    }
}
