/* A photograph segmented by an exported SavedModel, through TensorFlow's C API.

   Headers and library lie in the TensorFlow wheel:

       TF=$(python -c "import tensorflow; print(tensorflow.__path__[0])")
       gcc -I$TF/include segment.c -o segment \
           $TF/libtensorflow_cc.so.2 $TF/libtensorflow_framework.so.2 -Wl,-rpath,$TF
       ./segment fcn8s_mobilenet_camvid_saved_model 360 480 <image.rgb >labels.raw

   image.rgb holds the 360 x 480 x 3 bytes of the pixels, labels.raw gets 360 x 480 bytes, the class of each. */

#include <stdio.h>
#include <stdlib.h>
#include <tensorflow/c/c_api.h>

static void fail(const char *what, const char *why) {
    fprintf(stderr, "segment: %s: %s\n", what, why);
    exit(1);
}

static void check(const TF_Status *status, const char *what) {
    if (TF_GetCode(status) != TF_OK) fail(what, TF_Message(status));
}

/* Where the signature `segment` begins: it names its input, as every signature does. */
static TF_Output find_input(TF_Graph *graph) {
    TF_Output input = {TF_GraphOperationByName(graph, "segment_image"), 0};
    if (input.oper == NULL) fail("segment", "the model has no signature of this name with an input `image`");
    return input;
}

/* Where it ends: the call of its function, the one operation that takes the input, gives its one output. */
static TF_Output find_output(TF_Output input) {
    TF_Input consumer;
    if (TF_OperationOutputConsumers(input, &consumer, 1) != 1) fail("segment_image", "expected to be taken once");
    return (TF_Output){consumer.oper, 0};
}

int main(int argc, char **argv) {
    if (argc != 4) fail("usage", "segment SAVED_MODEL HEIGHT WIDTH <image.rgb >labels.raw");
    const int64_t shape[] = {1, atoll(argv[2]), atoll(argv[3]), 3};
    if (shape[1] < 1 || shape[2] < 1) fail("HEIGHT WIDTH", "expected pixels of the model's input");
    const size_t count = (size_t)(shape[1] * shape[2]);

    TF_Tensor *image = TF_AllocateTensor(TF_UINT8, shape, 4, 3 * count);
    if (fread(TF_TensorData(image), 1, 3 * count, stdin) != 3 * count)
        fail("image.rgb", "expected HEIGHT * WIDTH * 3 bytes");

    TF_Status *status = TF_NewStatus();
    TF_Graph *graph = TF_NewGraph();
    TF_SessionOptions *options = TF_NewSessionOptions();
    const char *const tags[] = {"serve"};
    TF_Session *session = TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
    check(status, argv[1]);

    const TF_Output input = find_input(graph), output = find_output(input);
    TF_Tensor *labels = NULL;
    TF_SessionRun(session, NULL, &input, &image, 1, &output, &labels, 1, NULL, 0, NULL, status);
    check(status, "segment");
    if (TF_TensorType(labels) != TF_UINT8 || TF_TensorByteSize(labels) != count)
        fail("labels", "expected HEIGHT * WIDTH bytes");
    if (fwrite(TF_TensorData(labels), 1, count, stdout) != count) fail("labels.raw", "cannot be written");

    TF_DeleteTensor(labels);
    TF_DeleteTensor(image);
    TF_CloseSession(session, status);
    TF_DeleteSession(session, status);
    TF_DeleteSessionOptions(options);
    TF_DeleteGraph(graph);
    TF_DeleteStatus(status);
    return 0;
}
