/* db.c: the file, its tables, and statements that are prepared once. */
#include "spool.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* Written to be read: one table of tasks, whose state says where each is. Times are wall clock
 * milliseconds where they must outlive a boot, boot clock where they compare the living. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS tasks (seq INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT "
    "NULL,"
    " queue TEXT NOT NULL, id BLOB NOT NULL, task TEXT NOT NULL, state INTEGER NOT NULL,"
    " priority INTEGER NOT NULL, attempt INTEGER NOT NULL, crashes INTEGER NOT NULL,"
    " fence INTEGER NOT NULL DEFAULT 0, flags INTEGER NOT NULL, due INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, accepted INTEGER NOT NULL, owner INTEGER NOT NULL DEFAULT 0,"
    " started INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL DEFAULT 0,"
    " caller INTEGER NOT NULL, died INTEGER NOT NULL DEFAULT 0, died_at INTEGER NOT NULL DEFAULT 0,"
    " body BLOB, cause BLOB, UNIQUE (project, id));"
    "CREATE INDEX IF NOT EXISTS by_turn ON tasks (project, queue, state, priority DESC, seq);"
    "CREATE INDEX IF NOT EXISTS by_due ON tasks (project, state, due);"
    "CREATE INDEX IF NOT EXISTS by_owner ON tasks (owner) WHERE owner <> 0;"
    "CREATE INDEX IF NOT EXISTS by_death ON tasks (project, queue, died) WHERE died <> 0;"
    "CREATE TABLE IF NOT EXISTS replies (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " caller INTEGER NOT NULL, id BLOB NOT NULL, flags INTEGER NOT NULL, body BLOB);"
    "CREATE INDEX IF NOT EXISTS by_caller ON replies (caller, seq);"
    "CREATE TABLE IF NOT EXISTS signals (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " owner INTEGER NOT NULL, task INTEGER NOT NULL, fence INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS results (project TEXT NOT NULL, id BLOB NOT NULL,"
    " expires INTEGER NOT NULL, body BLOB, PRIMARY KEY (project, id));"
    "CREATE TABLE IF NOT EXISTS gone (project TEXT NOT NULL, id BLOB NOT NULL,"
    " state INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (project, id));"
    "CREATE TABLE IF NOT EXISTS keys (project TEXT NOT NULL, queue TEXT NOT NULL, key BLOB NOT "
    "NULL,"
    " id BLOB NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (project, queue, key));"
    "CREATE TABLE IF NOT EXISTS queues (project TEXT NOT NULL, queue TEXT NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, most INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (project, queue));"
    "CREATE TABLE IF NOT EXISTS instances (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " project TEXT NOT NULL, incarnation INTEGER NOT NULL, boot TEXT NOT NULL,"
    " seen INTEGER NOT NULL, lease INTEGER NOT NULL, info BLOB);"
    "CREATE TABLE IF NOT EXISTS consumers (instance INTEGER NOT NULL, project TEXT NOT NULL,"
    " queue TEXT NOT NULL, PRIMARY KEY (instance, queue));";

int64_t spool_wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t spool_now_ms(const patio_transport *t)
{
    return t->host->now_ns(t->host->self) / 1000000u;
}

patio_status spool_fail(const db *d, const char *what, patio_error *err)
{
    return patio_fail(err, PATIO_IO, 0, "%s: %s", what,
                      d->handle != NULL ? sqlite3_errmsg(d->handle) : "the spool is not open");
}

/* Only who finds none makes them: opening is not to wait for those who write. */
static int make_tables(db *d)
{
    if (spool_number(d, 0, "PRAGMA user_version", "") == 1) {
        return SQLITE_OK;
    }
    int rc = sqlite3_exec(d->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(d->handle, schema, NULL, NULL, NULL);
        rc = rc == SQLITE_OK ? sqlite3_exec(d->handle, "PRAGMA user_version=1", NULL, NULL, NULL)
                             : rc;
        (void)sqlite3_exec(d->handle, rc == SQLITE_OK ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

patio_status spool_db_open(patio_transport *t, db *d, patio_error *err)
{
    static const char *const settings[] = {"PRAGMA journal_mode=WAL", "PRAGMA temp_store=MEMORY",
                                           "PRAGMA wal_autocheckpoint=2000"};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc    = sqlite3_open_v2(t->path, &d->handle, flags, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_busy_timeout(d->handle, 2000);
        rc = sqlite3_exec(d->handle, settings[0], NULL, NULL, NULL);
    }
    for (size_t i = 1; i < 3 && rc == SQLITE_OK; i++) {
        rc = sqlite3_exec(d->handle, settings[i], NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(d->handle,
                          t->sync_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                          NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = make_tables(d);
    }
    if (rc != SQLITE_OK) {
        (void)patio_fail(err, PATIO_UNREACHABLE, 0, "open the spool %s: %s", t->path,
                         d->handle != NULL ? sqlite3_errmsg(d->handle) : "out of memory");
        spool_db_close(d);
        return PATIO_UNREACHABLE;
    }
    return PATIO_OK;
}

void spool_db_close(db *d)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        (void)sqlite3_finalize(d->statements[i]);
        d->statements[i] = NULL;
        d->texts[i]      = NULL;
    }
    (void)sqlite3_close(d->handle);
    d->handle = NULL;
}

/* Texts are literals: their address is their name. */
static sqlite3_stmt *prepared(db *d, const char *text)
{
    size_t i = 0;
    while (i < STATEMENTS_MAX && d->texts[i] != NULL && d->texts[i] != text) {
        i++;
    }
    if (i == STATEMENTS_MAX) {
        return NULL;
    }
    if (d->texts[i] == NULL) {
        if (sqlite3_prepare_v3(d->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i],
                               NULL) != SQLITE_OK) {
            return NULL;
        }
        d->texts[i] = text;
    }
    (void)sqlite3_reset(d->statements[i]);
    return d->statements[i];
}

static bool bind(sqlite3_stmt *s, const char *types, va_list args)
{
    int rc = SQLITE_OK;
    for (int i = 1; *types != '\0' && rc == SQLITE_OK; types++, i++) {
        if (*types == 'i') {
            rc = sqlite3_bind_int64(s, i, va_arg(args, int64_t));
        } else if (*types == 't') {
            rc = sqlite3_bind_text(s, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        } else if (*types == 'd') {
            rc = sqlite3_bind_blob(s, i, va_arg(args, const patio_id *)->bytes, 16,
                                   SQLITE_TRANSIENT);
        } else {
            const void *data = va_arg(args, const void *);
            size_t      size = va_arg(args, size_t);
            rc = sqlite3_bind_blob64(s, i, data != NULL ? data : "", size, SQLITE_TRANSIENT);
        }
    }
    return rc == SQLITE_OK;
}

sqlite3_stmt *spool_sql(db *d, const char *text, const char *types, ...)
{
    sqlite3_stmt *s = prepared(d, text);
    va_list       args;
    va_start(args, types);
    bool ok = s != NULL && bind(s, types, args);
    va_end(args);
    return ok ? s : NULL;
}

int64_t spool_do(db *d, const char *text, const char *types, ...)
{
    sqlite3_stmt *s = prepared(d, text);
    va_list       args;
    va_start(args, types);
    int rc = s != NULL && bind(s, types, args) ? sqlite3_step(s) : SQLITE_ERROR;
    va_end(args);
    if (s != NULL) {
        (void)sqlite3_reset(s);
        (void)sqlite3_clear_bindings(s); /* bodies are large */
    }
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? sqlite3_changes(d->handle) : -1;
}

int64_t spool_number(db *d, int64_t none, const char *text, const char *types, ...)
{
    sqlite3_stmt *s = prepared(d, text);
    va_list       args;
    va_start(args, types);
    int rc = s != NULL && bind(s, types, args) ? sqlite3_step(s) : SQLITE_ERROR;
    va_end(args);
    int64_t number = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL
                         ? sqlite3_column_int64(s, 0)
                         : none;
    if (s != NULL) {
        (void)sqlite3_reset(s);
    }
    return number;
}

void spool_column_id(sqlite3_stmt *s, int column, patio_id *out)
{
    memset(out, 0, sizeof(*out));
    if (sqlite3_column_bytes(s, column) == 16) {
        memcpy(out->bytes, sqlite3_column_blob(s, column), 16);
    }
}

patio_buf *spool_column_buf(const patio_transport *t, sqlite3_stmt *s, int column)
{
    const void *data = sqlite3_column_blob(s, column);
    size_t      size = (size_t)sqlite3_column_bytes(s, column);
    uint8_t    *into = NULL;
    patio_buf  *b    = t->host->buf_new(t->host->self, size, &into);
    if (b != NULL && size > 0) {
        memcpy(into, data, size);
    }
    return b;
}
