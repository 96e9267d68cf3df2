//! Paths in one canonical spelling, since routers differ in the spellings that they accept.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Returns the one spelling that stands for all of a path: decoded, without empty segments, `.` and
/// `..`. Services differ in which of these they see through.
pub(super) fn canonical(path: &str) -> Cow<'_, [u8]> {
    let path = path.trim_end_matches('/');
    if !path.contains('%') && !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path.as_bytes());
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut segments = Vec::new();
    for segment in decoded.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = Vec::with_capacity(decoded.len());
    for segment in segments {
        canonical.push(b'/');
        canonical.extend_from_slice(segment);
    }
    Cow::Owned(canonical)
}
