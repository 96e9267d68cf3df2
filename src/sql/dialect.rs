//! The differences between the databases, and how statements reach them.

use std::future::Future;

use sqlx::{
    Arguments, Database, Encode, Executor, IntoArguments, SqlStr, Type, query_with, raw_sql,
};

use super::error::{ResultExt, StoreError};

/// A database that stores use. The placeholders `$1` of statements mean the same in each.
pub(crate) trait Dialect: Database {
    /// Appends the placeholder of the next value, which is the value of this number, to a statement that
    /// has each value once.
    #[cfg(feature = "inbox")]
    fn push_placeholder(sql: &mut String, number: usize);

    /// `true` if several statements with values can be sent at once, and each is executed only if those
    /// before it succeed.
    const SENDS_SEVERAL: bool;

    fn add(arguments: &mut Self::Arguments, value: Value<'_>) -> Result<(), StoreError>;

    /// Returns `true` if another attempt to connect may succeed.
    fn is_transient(error: &sqlx::Error) -> bool;

    /// The place to which the connections of a pool lead.
    type Place: Send + Sync;

    /// The state of a place by which an idle connection is seen to lead there still.
    type Mark: Send;

    /// Returns an error if a new connection, or an idle one with this mark, would not lead to the place.
    fn check_place(place: &Self::Place, mark: Option<&Self::Mark>) -> Result<(), StoreError>;

    /// Checks a new connection, and makes durable what it reads.
    fn prepare(
        connection: Self::Connection,
        place: &Self::Place,
    ) -> impl Future<Output = Result<(Self::Connection, Self::Mark), StoreError>> + Send;

    /// Fetches the rows of a statement, or of several if there are no arguments.
    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Executes a statement, or several if there are no arguments. Returns the number of changed rows.
    fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    fn number(row: &Self::Row) -> Result<Option<i64>, StoreError>;
}

#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(Option<i64>),
    #[cfg(feature = "inbox")]
    Bytes(Option<&'a [u8]>),
}

#[cfg(feature = "inbox")]
impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

/// Returns the arguments of a statement with these values.
pub(crate) fn arguments<D: Dialect>(values: &[Value<'_>]) -> Result<D::Arguments, StoreError> {
    let mut arguments = D::Arguments::default();
    values
        .iter()
        .try_for_each(|value| D::add(&mut arguments, *value))?;
    Ok(arguments)
}

pub(crate) fn add<D: Database>(
    arguments: &mut D::Arguments,
    value: Value<'_>,
) -> Result<(), StoreError>
where
    for<'q> &'q str: Encode<'q, D> + Type<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<&'q [u8]>: Encode<'q, D> + Type<D>,
{
    let added = match value {
        Value::Text(text) => arguments.add(text),
        Value::Number(number) => arguments.add(number),
        #[cfg(feature = "inbox")]
        Value::Bytes(bytes) => arguments.add(bytes),
    };
    added.map_err(sqlx::Error::Encode).store_err()
}

pub(crate) async fn fetch<D: Database>(
    connection: &mut D::Connection,
    sql: SqlStr,
    arguments: D::Arguments,
) -> Result<Vec<D::Row>, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    D::Arguments: IntoArguments<D>,
{
    // A prepared statement is one statement in PostgreSQL.
    let rows = if arguments.len() == 0 {
        connection.fetch_all(raw_sql(sql)).await
    } else {
        connection.fetch_all(query_with(sql, arguments)).await
    };
    rows.store_err()
}

pub(crate) async fn execute<D: Database>(
    connection: &mut D::Connection,
    sql: SqlStr,
    arguments: D::Arguments,
) -> Result<D::QueryResult, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    D::Arguments: IntoArguments<D>,
{
    let result = if arguments.len() == 0 {
        connection.execute(raw_sql(sql)).await
    } else {
        connection.execute(query_with(sql, arguments)).await
    };
    result.store_err()
}
