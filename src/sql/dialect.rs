//! The differences between the databases, and how statements reach them.

use std::future::Future;

use sqlx::query::Query;
use sqlx::{Database, Encode, Executor, IntoArguments, SqlStr, Type, raw_sql};

use super::error::{ResultExt, StoreError};

/// A database that stores use. The placeholders `$1` of statements mean the same in each.
pub(crate) trait Dialect: Database {
    /// Returns `true` if another attempt to connect may succeed.
    fn is_transient(error: &sqlx::Error) -> bool;

    /// Checks a new connection.
    fn prepare(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Fetches the rows of a statement, or of several if there are no values.
    fn fetch(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;

    /// Executes a statement, or several if there are no values. Returns the number of changed rows.
    fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: &[Value<'_>],
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

fn query<'q, D: Database>(sql: SqlStr, values: &[Value<'q>]) -> Query<'q, D, D::Arguments>
where
    &'q str: Encode<'q, D> + Type<D>,
    Option<i64>: Encode<'q, D> + Type<D>,
    Option<&'q [u8]>: Encode<'q, D> + Type<D>,
{
    values
        .iter()
        .fold(sqlx::query(sql), |query, value| match *value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            #[cfg(feature = "inbox")]
            Value::Bytes(bytes) => query.bind(bytes),
        })
}

pub(crate) async fn fetch<D: Database>(
    connection: &mut D::Connection,
    sql: SqlStr,
    values: &[Value<'_>],
) -> Result<Vec<D::Row>, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> &'q str: Encode<'q, D> + Type<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<&'q [u8]>: Encode<'q, D> + Type<D>,
    D::Arguments: IntoArguments<D>,
{
    // A prepared statement is one statement.
    let rows = if values.is_empty() {
        connection.fetch_all(raw_sql(sql)).await
    } else {
        connection.fetch_all(query(sql, values)).await
    };
    rows.store_err()
}

pub(crate) async fn execute<D: Database>(
    connection: &mut D::Connection,
    sql: SqlStr,
    values: &[Value<'_>],
) -> Result<D::QueryResult, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> &'q str: Encode<'q, D> + Type<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    for<'q> Option<&'q [u8]>: Encode<'q, D> + Type<D>,
    D::Arguments: IntoArguments<D>,
{
    let result = if values.is_empty() {
        connection.execute(raw_sql(sql)).await
    } else {
        connection.execute(query(sql, values)).await
    };
    result.store_err()
}
