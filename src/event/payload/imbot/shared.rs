//! Types that several files about bots share.

use crate::macros::open_enum;

open_enum! {
    /// The way in which a command was called. Documentation page: *ONIMCOMMANDADD*.
    ImBotCommandContext {
        /// It was typed.
        TextArea = "TEXTAREA",
        /// A button was pressed.
        Keyboard = "KEYBOARD",
    }
}
