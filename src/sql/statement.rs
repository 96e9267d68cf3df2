//! `Statement`: a statement that is put together with its values.

use std::marker::PhantomData;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::dialect::{Dialect, Value};

/// A statement that has each value once, in order.
pub(crate) struct Statement<'v, D> {
    sql: String,
    values: Vec<Value<'v>>,
    dialect: PhantomData<D>,
}

impl<'v, D: Dialect> Statement<'v, D> {
    pub(crate) fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
            dialect: PhantomData,
        }
    }

    pub(crate) fn sql(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends a placeholder with its value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.values.push(value.into());
        D::push_placeholder(&mut self.sql, self.values.len());
        self
    }

    /// Appends `VALUES (?, ?), (?, ?)` for two rows of two values.
    pub(crate) fn rows<const N: usize>(
        mut self,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> Self {
        self.sql.push_str("VALUES ");
        for (row, values) in rows.into_iter().enumerate() {
            self.sql.push_str(if row == 0 { "(" } else { ", (" });
            for (column, value) in values.into_iter().enumerate() {
                if column > 0 {
                    self.sql.push_str(", ");
                }
                self = self.bind(value);
            }
            self.sql.push(')');
        }
        self
    }

    pub(crate) fn values(&self) -> &[Value<'v>] {
        &self.values
    }

    /// The text is the program's own: values are bound.
    pub(crate) fn text(&self) -> SqlStr {
        AssertSqlSafe(self.sql.clone()).into_sql_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement<'v, D: Dialect>() -> Statement<'v, D> {
        let rows = [1, 2].map(|row| [Value::from(row), Value::from("x")]);
        let statement = Statement::new("WITH w(a, b) AS (").rows(rows);
        statement.sql(") SELECT a FROM w WHERE b = ").bind(7)
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn statement_for_sqlite_has_placeholders_without_a_name() {
        let statement = statement::<sqlx::Sqlite>();
        let text = "WITH w(a, b) AS (VALUES (?, ?), (?, ?)) SELECT a FROM w WHERE b = ?";
        assert_eq!(statement.text().as_str(), text);
        assert_eq!(statement.values().len(), 5);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn statement_for_postgres_has_numbered_placeholders() {
        let statement = statement::<sqlx::Postgres>();
        let text = "WITH w(a, b) AS (VALUES ($1, $2), ($3, $4)) SELECT a FROM w WHERE b = $5";
        assert_eq!(statement.text().as_str(), text);
    }
}
