//! A pool of connections without unbounded waits.
//!
//! The pool of sqlx tests a returned connection for as long as the network allows, and its permit is
//! held meanwhile. Here nothing is sent when a connection is returned. Only a connection whose last
//! statement succeeded is used again, and all others are closed.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::dialect::{self, Dialect, Value};
use super::error::StoreError;

/// A connection older than this is not used again, so that a store follows a server that moved.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(250);

pub(crate) struct PoolConfig<D: Dialect> {
    pub(crate) options: <D::Connection as Connection>::Options,
    pub(crate) place: D::Place,
    pub(crate) max_connections: usize,
    /// Bounds each attempt to connect, without [`Dialect::prepare`], which may take longer than a call.
    pub(crate) connect_timeout: Duration,
    /// After this time the first statement of a connection that was idle is repeated on another,
    /// which counts beside `max_connections` until one of the two responds. `None` if a connection
    /// cannot die.
    pub(crate) idle_timeout: Option<Duration>,
}

pub(crate) struct Pool<D: Dialect>(Arc<Shared<D>>);

struct Shared<D: Dialect> {
    config: PoolConfig<D>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Live<D>>>,
}

struct Live<D: Dialect> {
    connection: D::Connection,
    mark: D::Mark,
    since: Instant,
}

/// A connection with its permit. Dropping it closes the connection and returns the permit;
/// [`release`](Self::release) keeps the connection.
pub(crate) struct Lease<D: Dialect> {
    live: Live<D>,
    was_idle: bool,
    pool: Pool<D>,
    deadline: Instant,
    _permit: OwnedSemaphorePermit,
}

impl<D: Dialect> Clone for Pool<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Dialect> Pool<D> {
    pub(crate) fn new(config: PoolConfig<D>) -> Self {
        Self(Arc::new(Shared {
            permits: Arc::new(Semaphore::new(config.max_connections)),
            idle: Mutex::default(),
            config,
        }))
    }

    /// Waits for a permit, and connects if no connection is idle.
    pub(crate) async fn lease(&self, deadline: Instant) -> Result<Lease<D>, StoreError> {
        let permits = Arc::clone(&self.0.permits);
        let permit = match timeout_at(deadline, permits.acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::connection("the store is closed")),
            Err(_) => return Err(StoreError::timed_out()),
        };
        let idle = self.take_idle()?;
        let was_idle = idle.is_some();
        let (live, permit) = match idle {
            Some(live) => (live, permit),
            None => self.connect_for_any(permit, deadline).await?,
        };
        Ok(Lease {
            live,
            was_idle,
            pool: self.clone(),
            deadline,
            _permit: permit,
        })
    }

    /// Connects. If that takes longer than the caller waits, the connection is for a later one: each
    /// would otherwise begin anew what takes that long.
    async fn connect_for_any(
        &self,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<(Live<D>, OwnedSemaphorePermit), StoreError> {
        let pool = self.clone();
        let (connected, received) = oneshot::channel();
        tokio::spawn(async move {
            let live = pool.connect(deadline).await;
            if let Err(Ok((live, _permit))) = connected.send(live.map(|live| (live, permit))) {
                pool.keep(live);
            }
        });
        match timeout_at(deadline, received).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(_)) => Err(StoreError::connection("the runtime of the store has ended")),
            Err(_) => Err(StoreError::timed_out()),
        }
    }

    /// Closes all connections, after the calls that have begun.
    pub(crate) async fn close(&self, limit: Duration) {
        let all = u32::try_from(self.0.config.max_connections).unwrap_or(u32::MAX);
        let permits = timeout(limit, self.0.permits.acquire_many(all)).await;
        self.0.permits.close();
        drop(permits);
        let idle = std::mem::take(&mut *self.idle());
        for live in idle {
            // Dropped if it does not close in time.
            let _ = timeout(limit, live.connection.close()).await;
        }
    }

    fn take_idle(&self) -> Result<Option<Live<D>>, StoreError> {
        let mut idle = self.idle();
        // A connection that leads elsewhere is kept: if its file comes back, so does what it has written.
        let mark = idle.last().map(|live| &live.mark);
        D::check_place(&self.0.config.place, mark)?;
        idle.retain(|live| live.since.elapsed() < MAX_LIFETIME);
        Ok(idle.pop())
    }

    /// Repeats the attempt while the server is not there or not ready yet.
    async fn connect(&self, deadline: Instant) -> Result<Live<D>, StoreError> {
        let config = &self.0.config;
        let mut pause = FIRST_PAUSE;
        loop {
            let limit = deadline.min(Instant::now() + config.connect_timeout);
            let failed = match timeout_at(limit, config.options.connect()).await {
                Ok(Ok(connection)) => {
                    let (connection, mark) = D::prepare(connection, &config.place).await?;
                    D::check_place(&config.place, Some(&mark))?;
                    return Ok(Live {
                        connection,
                        mark,
                        since: Instant::now(),
                    });
                }
                Ok(Err(error)) if D::is_transient(&error) => not_connected(&error),
                Ok(Err(error)) => return Err(not_connected(&error)),
                Err(_) => StoreError::timed_out(),
            };
            if Instant::now() + pause >= deadline {
                return Err(failed);
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    fn keep(&self, live: Live<D>) {
        if !self.0.permits.is_closed() {
            self.idle().push(live);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Live<D>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Dialect> Lease<D> {
    pub(crate) fn connection(&mut self) -> &mut D::Connection {
        &mut self.live.connection
    }

    /// Returns the rows of a call's first statement, which may be executed twice, on two connections.
    ///
    /// An idle connection may be dead. If the statement fails on it, it is repeated on a new
    /// connection. If it takes longer than the timeout of an idle connection, a new one is opened
    /// beside it, and the first that responds is kept: a server that is slow is not one that is gone.
    pub(crate) async fn fetch_first(
        &mut self,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> Result<Vec<D::Row>, StoreError> {
        let idle_timeout = self.pool.0.config.idle_timeout;
        let Some(idle_timeout) = idle_timeout.filter(|_| self.was_idle) else {
            let arguments = dialect::arguments::<D>(values)?;
            return D::fetch(&mut self.live.connection, sql, arguments).await;
        };
        self.was_idle = false;
        let pool = self.pool.clone();
        let fresh = async {
            let mut live = pool.connect(self.deadline).await?;
            let arguments = dialect::arguments::<D>(values)?;
            let rows = D::fetch(&mut live.connection, sql.clone(), arguments).await?;
            Ok((live, rows))
        };
        let (live, rows) = {
            let arguments = dialect::arguments::<D>(values)?;
            let mut idle = pin!(D::fetch(&mut self.live.connection, sql.clone(), arguments));
            match timeout(idle_timeout, &mut idle).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(_)) => fresh.await?,
                Err(_) => match first_success(idle, fresh).await? {
                    First::Left(rows) => return Ok(rows),
                    First::Right(fresh) => fresh,
                },
            }
        };
        // Whatever happened to this connection happened to the idle ones.
        self.pool.idle().clear();
        self.live = live;
        Ok(rows)
    }

    /// Keeps the connection for the next call. Its last statement must have succeeded, and no
    /// transaction may be open.
    pub(crate) fn release(self) {
        self.pool.keep(self.live);
    }
}

fn not_connected(error: &sqlx::Error) -> StoreError {
    StoreError::connection("there is no connection to the database").with_source(error.to_string())
}

enum First<L, R> {
    Left(L),
    Right(R),
}

/// Waits for both at once. Returns what the first successful one does, or the error of `right` if
/// neither is successful.
async fn first_success<L, R, E>(
    mut left: Pin<&mut impl Future<Output = Result<L, E>>>,
    right: impl Future<Output = Result<R, E>>,
) -> Result<First<L, R>, E> {
    let mut right = pin!(right);
    let (mut left_failed, mut right_error) = (false, None);
    poll_fn(|context| {
        if !left_failed {
            match left.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => return Poll::Ready(Ok(First::Left(value))),
                Poll::Ready(Err(_)) => left_failed = true,
                Poll::Pending => {}
            }
        }
        if right_error.is_none() {
            match right.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => return Poll::Ready(Ok(First::Right(value))),
                Poll::Ready(Err(error)) => right_error = Some(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        match right_error.take_if(|_| left_failed) {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    })
    .await
}

/// Bounds a call, if there is a limit.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let Some(limit) = limit else {
        return call.await;
    };
    let result = timeout(limit, call).await;
    result.unwrap_or_else(|_| Err(StoreError::timed_out()))
}
