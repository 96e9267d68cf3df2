//! Checks the settings without which Redis loses what it has acknowledged.

use std::collections::HashMap;

use brokers::BoxError;
use redis::aio::ConnectionManager;

/// The settings that lose entries otherwise, with what each must be and why.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "appendonly",
        "yes",
        "Redis keeps the entries in memory alone and loses them when it ends",
    ),
    (
        "appendfsync",
        "always",
        "Redis acknowledges entries before they are on the disk: a loss of power loses those of the \
         last second",
    ),
    (
        "no-appendfsync-on-rewrite",
        "no",
        "Redis syncs nothing while it rewrites its log",
    ),
];

/// Returns an error that says what to change if Redis may lose an entry that it has acknowledged.
pub(crate) async fn durable(mut redis: ConnectionManager) -> Result<(), BoxError> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg("maxmemory-policy");
    for (name, _, _) in SETTINGS {
        get.arg(name);
    }
    let settings = get.query_async(&mut redis).await;
    let settings: HashMap<String, String> = settings.map_err(|error| {
        format!("cannot read the settings of Redis, which decide whether it loses events: {error}")
    })?;
    let wrong = wrong_settings(&settings);
    if wrong.is_empty() {
        return Ok(());
    }
    Err(wrong.join("\n       ").into())
}

fn wrong_settings(settings: &HashMap<String, String>) -> Vec<String> {
    let get = |name: &str| settings.get(name).map_or("unknown", String::as_str);
    let mut wrong: Vec<_> = SETTINGS
        .iter()
        .filter(|(name, value, _)| get(name) != *value)
        .map(|(name, value, why)| {
            let is = get(name);
            format!("Redis has `{name} {is}`: {why}. Set `{name} {value}` in redis.conf.")
        })
        .collect();
    let policy = get("maxmemory-policy");
    // The others remove keys that have a time to live, which the entries have not.
    if policy != "noeviction" && !policy.starts_with("volatile-") {
        wrong.push(format!(
            "Redis has `maxmemory-policy {policy}`: if its memory is full it removes entries. Set \
             `maxmemory-policy noeviction` in redis.conf."
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(changed: &[(&str, &str)]) -> Vec<String> {
        let durable = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("no-appendfsync-on-rewrite", "no"),
            ("maxmemory-policy", "noeviction"),
        ];
        let settings = durable.iter().chain(changed);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        wrong_settings(&settings.map(owned).collect())
    }

    #[test]
    fn each_setting_that_loses_entries_is_named_with_its_remedy() {
        assert_eq!(wrong(&[]), [] as [&str; 0]);
        for (name, value, remedy) in [
            ("appendonly", "no", "`appendonly yes`"),
            ("appendfsync", "everysec", "`appendfsync always`"),
            (
                "no-appendfsync-on-rewrite",
                "yes",
                "`no-appendfsync-on-rewrite no`",
            ),
            (
                "maxmemory-policy",
                "allkeys-lru",
                "`maxmemory-policy noeviction`",
            ),
        ] {
            let wrong = wrong(&[(name, value)]);
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert!(wrong[0].contains(&format!("`{name} {value}`")), "{wrong:?}");
            assert!(wrong[0].contains(remedy), "{wrong:?}");
        }
        assert_eq!(wrong_settings(&HashMap::new()).len(), 4);
    }
}
