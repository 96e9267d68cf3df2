//! What differs between the databases, and how statements reach them.

use std::future::Future;

use sqlx::query::Query;
use sqlx::{Database, Encode, Executor, FromRow, IntoArguments, SqlStr, Type, raw_sql};

use super::StoreError;
use super::error::Answered;
use super::schema::Schema;

/// A token as a row: `stored`, `kind`, `issued`, `expires`, `added`, `used`.
pub(super) type Row = (
    String,
    String,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// A database that keeps tokens. All share the statements of the store, whose placeholders `$1`
/// mean the same in each.
pub(super) trait Dialect: Database {
    /// Waits until no other transaction changes the portal `$1`, if the begin does not wait.
    const LOCK_PORTAL: Option<&'static str>;

    /// Waits until no other transaction changes the schema, if the begin does not wait.
    const LOCK_SCHEMA: Option<&'static str>;

    /// Returns 1 if the table `bitrix24_portal_schema` exists, and 0 otherwise.
    const HAS_SCHEMA: &'static str;

    /// Creates the table `bitrix24_portal_schema`.
    const CREATE_SCHEMA: &'static str;

    const SCHEMA: Schema;

    /// Returns `true` if another attempt to connect may succeed.
    fn is_transient(error: &sqlx::Error) -> bool;

    /// Checks a new connection.
    fn prepare(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Executes a statement, or several if there are no values, and returns the number of rows that
    /// it changed.
    fn execute(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Returns the tokens that the statement selects.
    fn tokens(
        connection: &mut Self::Connection,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Row>, StoreError>> + Send;

    /// Returns the one number that the statement selects.
    fn number(
        connection: &mut Self::Connection,
        sql: &'static str,
    ) -> impl Future<Output = Result<Option<i64>, StoreError>> + Send;
}

/// A value of a placeholder.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(Option<i64>),
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
{
    values
        .iter()
        .fold(sqlx::query(sql), |query, value| match *value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        })
}

/// Implements [`Dialect::execute`], but for the type of its result.
pub(super) async fn execute<D: Database>(
    connection: &mut D::Connection,
    sql: SqlStr,
    values: &[Value<'_>],
) -> Result<D::QueryResult, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> &'q str: Encode<'q, D> + Type<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    D::Arguments: IntoArguments<D>,
{
    // A prepared statement is one statement.
    if values.is_empty() {
        connection.execute(raw_sql(sql)).await.answered()
    } else {
        connection.execute(query(sql, values)).await.answered()
    }
}

/// Implements [`Dialect::tokens`] and [`Dialect::number`].
pub(super) async fn fetch<D: Database, T>(
    connection: &mut D::Connection,
    sql: SqlStr,
    values: &[Value<'_>],
) -> Result<Vec<T>, StoreError>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    for<'q> &'q str: Encode<'q, D> + Type<D>,
    for<'q> Option<i64>: Encode<'q, D> + Type<D>,
    D::Arguments: IntoArguments<D>,
    for<'r> T: FromRow<'r, D::Row>,
{
    let rows = connection.fetch_all(query(sql, values)).await.answered()?;
    rows.iter()
        .map(T::from_row)
        .collect::<Result<_, _>>()
        .answered()
}
