#include "plugin/load.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "plugin/negotiate.h"

#define ORIGIN "plugins"

const patio_plugin *pt_plugin_identity(const pt_plugin *plugin)
{
    return plugin->as.transport.identity;
}

static void *own_ops(pt_plugin *plugin)
{
    if (plugin->kind == &pt_kind_transport) {
        return &plugin->as.transport.ops;
    }
    return &plugin->as.executor.ops;
}

const void *pt_plugin_ops(const pt_plugin *plugin)
{
    if (plugin->kind == &pt_kind_transport) {
        return &plugin->as.transport.ops;
    }
    return &plugin->as.executor.ops;
}

/* What the loader would say in riddles ("file too short", "invalid ELF header"), said plainly. */
static patio_status check_content(int fd, struct stat *file, patio_error *why)
{
    if (fstat(fd, file) != 0) {
        return pt_fail_errno(why, PATIO_IO, errno, ORIGIN, "look at the file");
    }
    if (S_ISDIR(file->st_mode)) {
        return pt_fail(why, PATIO_IO, ORIGIN, "is a folder, not a shared library");
    }
    if (!S_ISREG(file->st_mode)) {
        return pt_fail(why, PATIO_IO, ORIGIN, "is not a regular file");
    }
    if (file->st_size == 0) {
        return pt_fail(why, PATIO_IO, ORIGIN, "file is empty");
    }
    char    magic[SELFMAG];
    ssize_t size = pread(fd, magic, sizeof(magic), 0);
    if (size < 0) {
        return pt_fail_errno(why, PATIO_IO, errno, ORIGIN, "read the file");
    }
    if (size != SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0) {
        return pt_fail(why, PATIO_IO, ORIGIN, "is not a shared library: no ELF header");
    }
    return PATIO_OK;
}

static patio_status check_file(const char *path, struct stat *file, patio_error *why)
{
    /* NONBLOCK: a FIFO must not hang the program */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int reason = errno;
        if (reason == ENOENT || reason == ENOTDIR) {
            return pt_fail(why, PATIO_NOT_FOUND, ORIGIN, "no such file");
        }
        return pt_fail_errno(why, PATIO_IO, reason, ORIGIN, "open the file");
    }
    patio_status status = check_content(fd, file, why);
    (void)close(fd);
    return status;
}

static patio_status open_entry(const char *path, patio_plugin_entry_fn **entry, patio_error *why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        const char *reason = dlerror(); /* NOLINT(concurrency-mt-unsafe): per thread in glibc */
        reason             = reason != NULL ? reason : "the loader gives no reason";
        /* it often begins with the path, which the report shows anyway */
        size_t size = strlen(path);
        if (strncmp(reason, path, size) == 0 && strncmp(reason + size, ": ", 2) == 0) {
            reason += size + 2;
        }
        return pt_fail(why, PATIO_IO, ORIGIN, "%s", reason);
    }
    void *symbol = dlsym(library, PATIO_PLUGIN_SYMBOL);
    if (symbol == NULL) {
        return pt_fail(why, PATIO_PROTOCOL, ORIGIN,
                       "no entry symbol %s: not a plugin, or without PATIO_PLUGIN_DEFINE",
                       PATIO_PLUGIN_SYMBOL);
    }
    memcpy(entry, &symbol, sizeof(*entry)); /* ISO C has no cast from data to function */
    return PATIO_OK;
}

static const pt_plugin *find_cached(const pt_plugin *cache, const pt_kind *kind,
                                    const struct stat *file)
{
    for (const pt_plugin *p = cache; p != NULL; p = p->next) {
        if (p->kind == kind && p->device == file->st_dev && p->inode == file->st_ino) {
            return p;
        }
    }
    return NULL;
}

static patio_status load_new(const patio_allocator *mem, pt_plugin **cache, const pt_kind *kind,
                             const char *path, const char *name, const struct stat *file,
                             const pt_plugin **out, patio_error *why)
{
    size_t     path_bytes = strlen(path) + 1;
    pt_plugin *plugin     = pt_calloc(mem, 1, sizeof(*plugin) + path_bytes);
    if (plugin == NULL) {
        return pt_no_memory(why, ORIGIN);
    }
    plugin->kind   = kind;
    plugin->device = file->st_dev;
    plugin->inode  = file->st_ino;
    memcpy(plugin->path, path, path_bytes);
    plugin->as.transport.path = plugin->path;

    patio_plugin_entry_fn *entry  = NULL;
    patio_status           status = open_entry(path, &entry, why);
    if (status == PATIO_OK) {
        status = pt_negotiate_identity(entry, name, &plugin->as.transport.identity, why);
    }
    if (status == PATIO_OK) {
        status = pt_negotiate_ops(kind, pt_plugin_identity(plugin), own_ops(plugin), why);
    }
    if (status != PATIO_OK) {
        pt_free(mem, plugin);
        return status;
    }
    plugin->next = *cache;
    *cache       = plugin;
    *out         = plugin;
    return PATIO_OK;
}

patio_status pt_load_file(const patio_allocator *mem, pt_plugin **cache, const pt_kind *kind,
                          const char *path, const char *name, const pt_plugin **out,
                          patio_error *why)
{
    struct stat  file   = {0};
    patio_status status = check_file(path, &file, why);
    if (status != PATIO_OK) {
        return status;
    }
    const pt_plugin *known = find_cached(*cache, kind, &file);
    if (known != NULL) {
        /* a link under another name reaches the same file */
        status = pt_negotiate_name(pt_plugin_identity(known), name, why);
        if (status == PATIO_OK) {
            *out = known;
        }
        return status;
    }
    return load_new(mem, cache, kind, path, name, &file, out, why);
}

void pt_load_free_cache(const patio_allocator *mem, pt_plugin *cache)
{
    while (cache != NULL) {
        pt_plugin *next = cache->next;
        pt_free(mem, cache);
        cache = next;
    }
}
