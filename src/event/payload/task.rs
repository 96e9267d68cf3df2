//! Payloads of the scope `task`.

use serde::{Deserialize, Serialize};

use crate::form::field::{Flag, UndefinedOr, optional_number};
use crate::macros::open_enum;

/// A task before and after a change. Documentation pages: *OnTaskAdd*, *OnTaskUpdate*
/// and *OnTaskDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct TaskChange {
    /// The task before (`FIELDS_BEFORE`). Undefined if it was added.
    #[serde(rename = "FIELDS_BEFORE", default)]
    pub before: UndefinedOr<TaskFields>,
    /// The task after (`FIELDS_AFTER`). Undefined if it was deleted.
    #[serde(rename = "FIELDS_AFTER", default)]
    pub after: UndefinedOr<TaskFields>,
    /// Yes if the task was readable before (`IS_ACCESSIBLE_BEFORE`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_BEFORE", default)]
    pub accessible_before: UndefinedOr<Flag>,
    /// Yes if the task is readable after (`IS_ACCESSIBLE_AFTER`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_AFTER", default)]
    pub accessible_after: UndefinedOr<Flag>,
}

impl TaskChange {
    /// Returns the task's id, from after or before the change. `None` if the platform sends neither.
    pub fn id(&self) -> Option<u64> {
        let after = self.after.value().and_then(|task| task.id);
        let before = self.before.value().and_then(|task| task.id);
        after.into_iter().chain(before).find(|&id| id != 0)
    }
}

/// The fields of a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct TaskFields {
    /// The task's id (`ID`).
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
}

/// A comment was added to a task. Documentation page: *OnTaskCommentAdd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct TaskCommentAdd {
    /// The comment before (`FIELDS_BEFORE`). Always undefined.
    #[serde(rename = "FIELDS_BEFORE", default)]
    pub before: UndefinedOr<AddedTaskComment>,
    /// The comment (`FIELDS_AFTER`).
    #[serde(rename = "FIELDS_AFTER", default)]
    pub after: UndefinedOr<AddedTaskComment>,
    /// Yes if the task was readable before (`IS_ACCESSIBLE_BEFORE`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_BEFORE", default)]
    pub accessible_before: UndefinedOr<Flag>,
    /// Yes if the task is readable after (`IS_ACCESSIBLE_AFTER`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_AFTER", default)]
    pub accessible_after: UndefinedOr<Flag>,
}

impl TaskCommentAdd {
    /// Returns the comment's id. `None` if the platform does not send it. In the new task card it sends
    /// 0, and the comment is the message [`AddedTaskComment::message_id`].
    pub fn id(&self) -> Option<u64> {
        self.after.value()?.id.filter(|&id| id != 0)
    }
}

/// The fields of a comment that was added to a task.
///
/// In the new task card (module `tasks` 25.700.0 and later) a comment is a message in the task's
/// chat: `id` is 0, and `message_id` is the id of the message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct AddedTaskComment {
    /// The comment's id (`ID`), or 0 in the new task card.
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the comment's task (`TASK_ID`).
    #[serde(rename = "TASK_ID", default, deserialize_with = "optional_number")]
    pub task_id: Option<u64>,
    /// The id of the message in the task's chat (`MESSAGE_ID`). Only sent by the new task card.
    #[serde(rename = "MESSAGE_ID", default, deserialize_with = "optional_number")]
    pub message_id: Option<u64>,
}

/// A comment of a task before and after a change. The new task card does not send such events. Documentation pages: *OnTaskCommentUpdate* and *OnTaskCommentDelete*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct TaskCommentChange {
    /// The comment before (`FIELDS_BEFORE`).
    #[serde(rename = "FIELDS_BEFORE", default)]
    pub before: UndefinedOr<TaskComment>,
    /// The comment after (`FIELDS_AFTER`), and the change.
    #[serde(rename = "FIELDS_AFTER", default)]
    pub after: UndefinedOr<ChangedTaskComment>,
    /// Yes if the task was readable before (`IS_ACCESSIBLE_BEFORE`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_BEFORE", default)]
    pub accessible_before: UndefinedOr<Flag>,
    /// Yes if the task is readable after (`IS_ACCESSIBLE_AFTER`). Undefined if that was not
    /// checked.
    #[serde(rename = "IS_ACCESSIBLE_AFTER", default)]
    pub accessible_after: UndefinedOr<Flag>,
}

impl TaskCommentChange {
    /// Returns the comment's id, from after or before the change. `None` if the platform sends neither,
    /// or 0, which is not an id.
    pub fn id(&self) -> Option<u64> {
        let after = self.after.value().and_then(|comment| comment.id);
        let before = self.before.value().and_then(|comment| comment.id);
        after.into_iter().chain(before).find(|&id| id != 0)
    }
}

/// The fields of a task's comment before the event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct TaskComment {
    /// The comment's id (`ID`).
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the comment's task (`TASK_ID`).
    #[serde(rename = "TASK_ID", default, deserialize_with = "optional_number")]
    pub task_id: Option<u64>,
}

/// The fields of a task's comment after the event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ChangedTaskComment {
    /// The comment's id (`ID`).
    #[serde(rename = "ID", default, deserialize_with = "optional_number")]
    pub id: Option<u64>,
    /// The id of the comment's task (`TASK_ID`).
    #[serde(rename = "TASK_ID", default, deserialize_with = "optional_number")]
    pub task_id: Option<u64>,
    /// The change of the comment (`ACTION`).
    #[serde(rename = "ACTION")]
    pub action: Option<TaskCommentAction>,
}

open_enum! {
    /// The change of a task's comment (`ACTION`).
    ///
    /// Documentation pages: *OnTaskCommentUpdate* and *OnTaskCommentDelete*.
    TaskCommentAction {
        /// The comment was changed.
        Edit = "EDIT",
        /// The comment was deleted.
        Delete = "DEL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn task_samples_are_typed() {
        let codes = ["ONTASKADD", "ONTASKUPDATE", "ONTASKDELETE"];
        let tasks = samples::read(&codes, FormReader::data::<TaskChange>);
        let [added, updated, deleted] = &tasks[..] else {
            panic!("{tasks:?}")
        };
        assert!(tasks.iter().all(|task| task.id() == Some(123)));
        assert_eq!(added.before, UndefinedOr::Undefined);
        assert_eq!(added.accessible_before, UndefinedOr::Value(false.into()));
        assert_eq!(added.accessible_after, UndefinedOr::Undefined);
        assert_eq!(
            updated.before,
            UndefinedOr::Value(TaskFields { id: Some(123) })
        );
        assert_eq!(updated.after, updated.before);
        assert_eq!(deleted.after, UndefinedOr::Undefined);
        assert_eq!(deleted.before, updated.before);
    }

    #[test]
    fn added_task_comment_samples_are_typed() {
        let comments = samples::read(&["ONTASKCOMMENTADD"], FormReader::data::<TaskCommentAdd>);
        let comments: Vec<_> = comments
            .iter()
            .map(|comment| comment.after.value().unwrap())
            .map(|comment| (comment.id, comment.task_id, comment.message_id))
            .collect();
        let old_card = (Some(123), Some(555), None);
        let new_card = (Some(0), Some(555), Some(1458));
        assert_eq!(comments, [old_card, new_card]);
    }

    #[test]
    fn changed_task_comment_samples_are_typed() {
        let codes = ["ONTASKCOMMENTUPDATE", "ONTASKCOMMENTDELETE"];
        let comments = samples::read(&codes, FormReader::data::<TaskCommentChange>);
        assert!(comments.iter().all(|comment| comment.id() == Some(123)));
        let before = TaskComment {
            id: Some(123),
            task_id: Some(555),
        };
        assert!(
            comments
                .iter()
                .all(|comment| comment.before.value() == Some(&before))
        );
        let actions = comments
            .iter()
            .map(|comment| comment.after.value()?.action.as_ref());
        assert!(actions.eq([
            Some(&TaskCommentAction::Edit),
            Some(&TaskCommentAction::Delete)
        ]));
    }

    #[test]
    fn task_id_is_read_from_before_or_after_the_change() {
        for pairs in [
            "data[FIELDS_BEFORE][TITLE]=a&data[FIELDS_AFTER][ID]=5",
            "data[FIELDS_BEFORE][ID]=5&data[FIELDS_AFTER][TITLE]=a",
            "data[FIELDS_BEFORE][ID]=5&data[FIELDS_AFTER]=0",
            "data[FIELDS_BEFORE]=&data[FIELDS_AFTER][ID]=5",
            "data[FIELDS_BEFORE][ID]=5&data[FIELDS_AFTER][ID]=0",
        ] {
            let task: TaskChange = samples::parse(format!("event=ONTASKUPDATE&{pairs}")).unwrap();
            assert_eq!(task.id(), Some(5), "{pairs}");
        }
        let form = "event=ONTASKUPDATE&data[FIELDS_BEFORE][ID]=0&data[FIELDS_AFTER][ID]=0";
        let task: TaskChange = samples::parse(form).unwrap();
        assert_eq!(task.id(), None);
    }

    #[test]
    fn task_comment_may_lack_its_task_and_0_is_no_id() {
        let form =
            "event=ONTASKCOMMENTADD&data[FIELDS_AFTER][ID]=0&data[FIELDS_AFTER][MESSAGE_ID]=7";
        let added: TaskCommentAdd = samples::parse(form).unwrap();
        let comment = added.after.value().unwrap();
        assert_eq!(
            (added.id(), comment.task_id, comment.message_id),
            (None, None, Some(7))
        );

        let form = "event=ONTASKCOMMENTUPDATE&data[FIELDS_AFTER][ID]=0&data[FIELDS_BEFORE][ID]=7";
        let changed: TaskCommentChange = samples::parse(form).unwrap();
        assert_eq!(changed.id(), Some(7));
        let form = "event=ONTASKCOMMENTUPDATE&data[FIELDS_AFTER][ID]=0";
        let changed: TaskCommentChange = samples::parse(form).unwrap();
        assert_eq!(changed.id(), None);
    }

    #[test]
    fn deleted_task_comment_has_the_id_from_before() {
        let form = "event=ONTASKCOMMENTDELETE&data[FIELDS_BEFORE][ID]=123\
                    &data[FIELDS_AFTER]=undefined&data[IS_ACCESSIBLE_AFTER]=Y";
        let comment: TaskCommentChange = samples::data(form).data().unwrap();
        assert_eq!(comment.id(), Some(123));
        assert_eq!(comment.accessible_before, UndefinedOr::Undefined);
        assert_eq!(
            comment.accessible_after.value().map(|flag| flag.is_yes()),
            Some(true)
        );
    }
}
