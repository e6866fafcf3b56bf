// grpc_calls: unary calls of gRPC C++ over loopback TCP, no TLS, WINDOW in flight on one completion
// queue on each side. Bytes, without a schema: nothing is encoded that patio would not encode.
//
//   grpc_calls [COUNT [WINDOW [SIZE]]]      prints calls per second
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) + double(now.tv_nsec) / 1e9;
}

static void require(bool holds, const char *what)
{
    if (!holds) {
        std::fprintf(stderr, "grpc_calls: %s\n", what);
        std::exit(1);
    }
}

// ---- who answers ----

struct Answer {
    grpc::AsyncGenericService         *service;
    grpc::ServerCompletionQueue       *queue;
    grpc::GenericServerContext         context;
    grpc::GenericServerAsyncReaderWriter stream{&context};
    grpc::ByteBuffer                   body;
    int                                step = 0;

    Answer(grpc::AsyncGenericService *s, grpc::ServerCompletionQueue *q) : service(s), queue(q)
    {
        service->RequestCall(&context, &stream, queue, queue, this);
    }

    void next(bool ok)
    {
        switch (ok ? step++ : 9) {
        case 0:
            new Answer(service, queue);
            stream.Read(&body, this);
            break;
        case 1:
            stream.WriteAndFinish(body, grpc::WriteOptions(), grpc::Status::OK, this);
            break;
        default:
            delete this;
        }
    }
};

static void be_worker(int tell)
{
    int                      port = 0;
    grpc::AsyncGenericService service;
    grpc::ServerBuilder      builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterAsyncGenericService(&service);
    auto queue  = builder.AddCompletionQueue();
    auto server = builder.BuildAndStart();
    require(server != nullptr && write(tell, &port, sizeof(port)) == sizeof(port), "no server");
    new Answer(&service, queue.get());
    void *tag = nullptr;
    bool  ok  = false;
    while (queue->Next(&tag, &ok)) {
        static_cast<Answer *>(tag)->next(ok);
    }
}

// ---- who asks ----

struct Call {
    std::unique_ptr<grpc::ClientContext>                            context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader>         reader;
    grpc::ByteBuffer                                                reply;
    grpc::Status                                                    status;
};

static void ask(Call *c, grpc::GenericStub *stub, const grpc::ByteBuffer &body,
                grpc::CompletionQueue *queue)
{
    c->context = std::make_unique<grpc::ClientContext>();
    c->reader  = stub->PrepareUnaryCall(c->context.get(), "/bench/echo", body, queue);
    c->reader->StartCall();
    c->reader->Finish(&c->reply, &c->status, c);
}

int main(int argc, char **argv)
{
    long count  = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 100000;
    long window = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 256;
    long size   = argc > 3 ? std::strtol(argv[3], nullptr, 10) : 100;
    int  tell[2];
    int  port = 0;
    require(count > 0 && window > 0 && window <= 4096 && size > 0, "COUNT WINDOW SIZE");
    require(pipe(tell) == 0, "pipe");
    pid_t pid = fork();
    require(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_worker(tell[1]);
        _exit(0);
    }
    require(read(tell[0], &port, sizeof(port)) == sizeof(port), "no worker");
    auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                       grpc::InsecureChannelCredentials());
    grpc::GenericStub     stub(channel);
    grpc::CompletionQueue queue;
    grpc::Slice           slice(std::string(static_cast<size_t>(size), 'x'));
    grpc::ByteBuffer      body(&slice, 1);
    Call                 *calls   = new Call[static_cast<size_t>(window)];
    long                  started = 0;
    double                from    = seconds();
    for (; started < window && started < count; started++) {
        ask(&calls[started], &stub, body, &queue);
    }
    for (long done = 0; done < count; done++) {
        void *tag = nullptr;
        bool  ok  = false;
        require(queue.Next(&tag, &ok), "queue");
        Call *c = static_cast<Call *>(tag);
        require(ok && c->status.ok(), c->status.error_message().c_str());
        if (started < count) {
            started++;
            ask(c, &stub, body, &queue);
        }
    }
    std::printf("%.0f\n", double(count) / (seconds() - from));
    std::fflush(stdout);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    _exit(0);
}
