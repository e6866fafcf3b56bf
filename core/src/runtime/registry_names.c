#include "runtime/registry_names.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "runtime/registry.h"

const char *pt_task_name_problem(const char *name)
{
    if (pt_is_task_name(name)) {
        return NULL;
    }
    size_t size = strnlen(name, PT_TASK_NAME_MAX + 1);
    if (size == 0) {
        return "it is empty";
    }
    if (size > PT_TASK_NAME_MAX) {
        return "it is longer than 255 bytes";
    }
    return pt_is_utf8(name, size) ? "it holds a control character" : "it is not UTF-8";
}

/* Only endings of source files go: PATIO_MODULE may well be "shop.orders". */
static bool is_source_ending(const char *ending)
{
    static const char *const endings[] = {".c",  ".h",   ".i",   ".C",   ".cc",
                                          ".cp", ".cpp", ".cxx", ".c++", ".inc",
                                          ".hh", ".hpp", ".hxx", ".h++", ".ii"};
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(ending, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

patio_bytes pt_module_name(const char *module)
{
    if (module == NULL) {
        module = "";
    }
    const char *slash = strrchr(module, '/');
    const char *name  = slash != NULL ? slash + 1 : module;
    const char *dot   = strrchr(name, '.');
    size_t      size  = dot != NULL && is_source_ending(dot) ? (size_t)(dot - name) : strlen(name);
    return (patio_bytes){.data = (const uint8_t *)name, .size = size};
}

/* `&mul` and `(mul)` are the same function to the compiler, but would be two names. */
static bool is_identifier(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        char c     = *p;
        bool start = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                     (unsigned char)c >= 0x80;
        if (!start && (p == text || c < '0' || c > '9')) {
            return false;
        }
    }
    return text[0] != '\0';
}

patio_status pt_auto_name(const char *project, patio_bytes module, const char *function,
                          const char *source, char name[PT_TASK_NAME_MAX + 1], patio_error *err)
{
    if (function == NULL || !is_identifier(function)) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "an automatic name needs the plain name of a function, not \"%s\"",
                       function != NULL ? function : "");
    }
    if (module.size == 0) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "automatic name for %s: the module has no name", function);
    }
    char hash[18] = "";
    if (source != NULL) {
        hash[0] = '-';
        if (!pt_source_hash(source, hash + 1)) {
            return pt_no_memory(err, "registry");
        }
    }
    int shown = module.size > PT_TASK_NAME_MAX ? PT_TASK_NAME_MAX + 1 : (int)module.size;
    int size  = snprintf(name, PT_TASK_NAME_MAX + 1, "%s.%.*s.%s%s", project, shown,
                         (const char *)module.data, function, hash);
    if (size < 0 || size > PT_TASK_NAME_MAX) {
        return pt_fail(err, PATIO_INVALID, "registry",
                       "automatic name for %.64s: it is longer than 255 bytes", function);
    }
    const char *problem = pt_task_name_problem(name);
    if (problem != NULL) {
        return pt_fail(err, PATIO_INVALID, "registry", "automatic name for %s: %s", function,
                       problem);
    }
    return PATIO_OK;
}
