// SPDX-License-Identifier: BSD-3-Clause
// Filters frames by one kernel in plain POSIX threads that Python knows nothing of: the C-level API from C.
#define PY_SSIZE_T_CLEAN
#include <pyconv.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_THREADS = 64 };

static const pyconv_api_t *pyconv;

// What one thread does: frames (count, height * width) to out, with a workspace of its own.
typedef struct work_t {
    const pyconv_plan_t *plan;
    const float *frames;
    float *out;
    Py_ssize_t count, pixels;
    int status;
} work_t;

static void *work(void *argument) {
    work_t *w = argument;
    size_t size = pyconv->plan_workspace_bytes(w->plan);
    size = (size + PYCONV_ALIGNMENT - 1) / PYCONV_ALIGNMENT * PYCONV_ALIGNMENT;
    void *workspace = size ? aligned_alloc(PYCONV_ALIGNMENT, size) : NULL;
    w->status = size && !workspace ? PYCONV_STATUS_NO_MEMORY : PYCONV_STATUS_OK;
    for (Py_ssize_t i = 0; i < w->count && w->status == PYCONV_STATUS_OK; i++)
        w->status = pyconv->plan_run(w->plan, w->frames + i * w->pixels, w->out + i * w->pixels, workspace);
    free(workspace);
    return NULL;
}

// The frames dealt out to so many threads; the status of the first that failed.
static int work_together(const work_t *all, int threads) {
    pthread_t thread[MOST_THREADS];
    work_t part[MOST_THREADS];
    int started = 0, status = PYCONV_STATUS_OK;
    for (; started < threads; started++) {
        const Py_ssize_t first = all->count * started / threads;
        part[started] = *all;
        part[started].frames += first * all->pixels;
        part[started].out += first * all->pixels;
        part[started].count = all->count * (started + 1) / threads - first;
        if (pthread_create(&thread[started], NULL, work, &part[started]) != 0) {
            status = PYCONV_STATUS_NO_MEMORY;
            break;
        }
    }
    for (int i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
        if (status == PYCONV_STATUS_OK)
            status = part[i].status;
    }
    return status;
}

// A kernel centred on each pixel, the edge of the frame repeated outside.
static void describe(pyconv_conv2d_t *d, const Py_buffer *frames, const Py_buffer *kernel) {
    pyconv_conv2d_init(d);
    d->ic = d->oc = 1;
    d->ih = frames->shape[1], d->iw = frames->shape[2];
    d->kh = kernel->shape[0], d->kw = kernel->shape[1];
    d->ph0 = (d->kh - 1) / 2, d->ph1 = d->kh / 2;
    d->pw0 = (d->kw - 1) / 2, d->pw1 = d->kw / 2;
    d->padding_mode = PYCONV_REPLICATE;
    d->threads = 1;
}

static int open_floats(PyObject *object, Py_buffer *view, const char *name, int dimensions, int flags) {
    if (PyObject_GetBuffer(object, view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | flags) != 0)
        return -1;
    if (view->ndim == dimensions && strcmp(view->format, "f") == 0)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must be %d-D float32, is %d-D '%s'", name, dimensions, view->ndim,
                 view->format);
    PyBuffer_Release(view);
    return -1;
}

static PyObject *filter_opened(const Py_buffer *frames, const Py_buffer *kernel, Py_buffer *out,
                               int threads) {
    struct timespec begin, end;
    pyconv_conv2d_t d;
    pyconv_plan_t *plan;
    char text[400];
    if (memcmp(frames->shape, out->shape, 3 * sizeof *out->shape) != 0)
        return PyErr_Format(PyExc_ValueError, "out must have the shape of frames");
    if (threads < 1 || threads > MOST_THREADS)
        return PyErr_Format(PyExc_ValueError, "threads must be 1 to %d, is %d", MOST_THREADS, threads);
    describe(&d, frames, kernel);
    int status = pyconv->plan_create(&d, kernel->buf, NULL, &plan);
    work_t all = {plan, frames->buf, out->buf, frames->shape[0], frames->shape[1] * frames->shape[2], status};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (status == PYCONV_STATUS_OK)
        status = work_together(&all, threads);
    clock_gettime(CLOCK_MONOTONIC, &end);
    pyconv->plan_destroy(plan);
    if (status != PYCONV_STATUS_OK) {
        pyconv->status_message(status, &d, text, sizeof text);
        return PyErr_Format(PyExc_ValueError, "%s", text);
    }
    return PyFloat_FromDouble((double)(end.tv_sec - begin.tv_sec) +
                              1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
}

static PyObject *filter(PyObject *self, PyObject *arguments) {
    PyObject *frames, *kernel, *out, *seconds = NULL;
    Py_buffer frames_view, kernel_view, out_view;
    int threads;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "OOOi", &frames, &kernel, &out, &threads))
        return NULL;
    if (open_floats(frames, &frames_view, "frames", 3, 0) != 0)
        return NULL;
    if (open_floats(kernel, &kernel_view, "kernel", 2, 0) == 0) {
        if (open_floats(out, &out_view, "out", 3, PyBUF_WRITABLE) == 0) {
            seconds = filter_opened(&frames_view, &kernel_view, &out_view, threads);
            PyBuffer_Release(&out_view);
        }
        PyBuffer_Release(&kernel_view);
    }
    PyBuffer_Release(&frames_view);
    return seconds;
}

static PyMethodDef methods[] = {
    {"filter", filter, METH_VARARGS,
     "filter(frames, kernel, out, threads) -> seconds. frames and out are (n, h, w) float32. The caller "
     "keeps the GIL "
     "while the threads work, which would hang if they needed it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "frame_filter", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_frame_filter(void) {
    pyconv = pyconv_import();
    return pyconv == NULL ? NULL : PyModule_Create(&module);
}
