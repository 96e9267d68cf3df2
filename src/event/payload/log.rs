//! Payloads of the scope `log`: the feed.

use serde::{Deserialize, Serialize};

/// A post in the feed. Documentation pages: *OnLiveFeedPostAdd*, *OnLiveFeedPostUpdate* and
/// *OnLiveFeedPostDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct FeedPost {
    /// The post's id (`POST_ID`).
    #[serde(rename = "POST_ID")]
    pub post_id: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn post_samples_are_typed() {
        let codes = [
            "ONLIVEFEEDPOSTADD",
            "ONLIVEFEEDPOSTDELETE",
            "ONLIVEFEEDPOSTUPDATE",
        ];
        let posts = samples::read(&codes, FormReader::fields::<FeedPost>);
        let ids: Vec<u64> = posts.iter().map(|post| post.post_id).collect();
        assert_eq!(ids, [209, 209, 205]);
    }
}
